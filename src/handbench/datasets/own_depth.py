"""One depth file of a person's own: a 16-bit PNG of millimetres, NYU's packing of them in colours, or an array.

Such a file comes from no known program, so nothing about it is taken for granted. What is read as millimetres has to
look like millimetres; what does not is refused with the likely reason.
"""

import struct
from pathlib import Path

import numpy as np

from handbench.datasets.array_file import parse_array
from handbench.datasets.files import read_file
from handbench.datasets.icvl import FARTHEST_MM
from handbench.datasets.nyu import SATURATED_MM
from handbench.datasets.png import GREEN_BLUE, GREY_16, Depth, read_depth_png
from handbench.errors import BadInput

ENDINGS = (".npy", ".png")
METRES_BELOW = 20.0
"""A frame without anything beyond 20 mm is one in metres: no sensor measures so near, or so little ahead."""
MOST_PX = 8192
"""A header may claim any size; no depth camera has more columns or rows."""
HOLDS = "a depth frame: 16-bit grey PNG in millimetres, NYU's green and blue PNG, or .npy in millimetres"
FIX_CROP = "if it is a ready crop of [-1, 1], give its place with --centre X Y Z and --cube MM"
_AGAIN = "save it again"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PACKINGS = {(16, 0): (GREY_16, FARTHEST_MM), (8, 2): (GREEN_BLUE, SATURATED_MM - 1)}
"""(bits, colour type) of a header: how depth lies in such a picture, and what lies beyond it is a code."""
_COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey and alpha", 6: "colour and alpha"}


def read_own_depth(path: Path) -> Depth:
    """Millimetres, 0 where nothing was measured: what is 0, not a number, or one of the sensors' codes."""
    if path.suffix.lower() == ".npy":
        return _read_millimetres(path)
    depth_mm = _read_picture(path)
    _check_unit(path, depth_mm)
    return depth_mm


def read_own_file(path: Path, holds: str = HOLDS) -> bytes:
    """The bytes of a file that a person has named."""
    try:
        return read_file(path, holds=holds)
    except BadInput as refusal:
        fix = "name a .png or .npy file, or a folder of them"
        raise BadInput(path, expected=refusal.expected, found=refusal.found, fix=fix) from None


def load_array(path: Path) -> np.ndarray:
    """The numbers of a .npy file, of whatever shape; nothing is unpickled."""
    content = read_own_file(path)
    try:
        array = parse_array(content)
    except Exception as error:  # an untrusted header fails in the parser in a dozen ways, all of which mean the same
        found = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(path, expected="an array of numbers", found=found, fix=_AGAIN) from None
    if array.dtype.kind not in "fiu" or array.size == 0:
        found = f"{array.dtype} of shape {array.shape}"
        raise BadInput(path, expected="an array of numbers", found=found, fix=_AGAIN)
    return array


def _read_picture(path: Path) -> Depth:
    width, height, bits, colour = _read_header(path)
    kind = f"{bits}-bit {_COLOURS.get(colour, 'unknown')} PNG"
    if (bits, colour) not in _PACKINGS:
        fix = f"record depth as 16-bit PNG: 256 steps hold no millimetres; {FIX_CROP}" if bits == 8 else _AGAIN
        raise BadInput(path, expected=HOLDS, found=kind, fix=fix)
    packing, farthest_mm = _PACKINGS[bits, colour]
    try:
        return read_depth_png(path, packing, width=width, height=height, farthest_mm=farthest_mm)
    except BadInput as refusal:
        # What mends a file of a dataset, downloading it again, mends none of one's own.
        fix = f"a colour picture holds no depth; {FIX_CROP}" if "red" in refusal.found else _AGAIN
        raise BadInput(path, expected=refusal.expected, found=refusal.found, fix=fix) from None


def _read_header(path: Path) -> tuple[int, int, int, int]:
    """Width, height, bits and colour type, before the size that the file claims is believed."""
    content = read_own_file(path)
    if not content.startswith(_SIGNATURE) or len(content) < 33:
        found = "an empty file" if not content else "a file that is not a PNG"
        raise BadInput(path, expected=HOLDS, found=found, fix="name a .png or .npy file")
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    if not (0 < width <= MOST_PX and 0 < height <= MOST_PX):
        found = f"{width}x{height}"
        raise BadInput(path, expected=f"at most {MOST_PX}x{MOST_PX} pixels", found=found, fix=_AGAIN)
    return width, height, bits, colour


def _read_millimetres(path: Path) -> Depth:
    array = load_array(path)
    if array.ndim != 2 or max(array.shape) > MOST_PX:
        found = f"an array of shape {array.shape}"
        raise BadInput(path, expected="one frame: an array of (height, width)", found=found, fix="save each by itself")
    if array.dtype.itemsize == 1:
        fix = f"save 16-bit whole numbers or floats; {FIX_CROP}"
        raise BadInput(path, expected=HOLDS, found=f"an 8-bit array ({array.dtype})", fix=fix)
    depth_mm = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    _check_unit(path, depth_mm)
    return np.where(depth_mm > FARTHEST_MM, np.float32(0), depth_mm)


def _check_unit(path: Path, depth_mm: Depth) -> None:
    """Nothing at all, metres, a crop of [-1, 1] and a z axis towards the viewer each have a word of their own."""
    lowest, highest = float(depth_mm.min()), float(depth_mm.max())
    expected = "depth in millimetres, above 0 where something was measured"
    if lowest < 0:
        fix = FIX_CROP if lowest >= -1 and highest <= 1 else "turn the z axis: depth grows away from the camera"
        raise BadInput(path, expected=expected, found=f"values from {lowest:.4g} to {highest:.4g}", fix=fix)
    if highest == 0:
        found = "an empty frame: nothing was measured in any pixel"
        raise BadInput(path, expected=expected, found=found, fix="record it again with the hand before the camera")
    if highest < METRES_BELOW:
        fix = "multiply by 1000 if these are metres"
        raise BadInput(path, expected=expected, found=f"no value above {highest:.4g}", fix=fix)
