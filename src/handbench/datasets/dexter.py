"""Dexter+Object on disk: sequences of depth images with fingertips and object corners annotated by hand.

No published reader shows how the depth is encoded, how many corners there are or which way the axes point. The likely
forms are written, the alternatives accepted (docs/formats.md), and the signs of the 3D labels are not assumed:
they are those under which the 3D file projects onto the 2D file. All hands are left hands; nothing is mirrored here.
"""

import itertools
import re
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from handbench.conventions import (
    DEXTER,
    DEXTER_REVISED_PLACES,
    DEXTER_REVISED_POINTS,
    DEXTER_SEQUENCES,
    FINGERS,
    NOT_ANNOTATED,
    REVISED,
    SHIPPED,
    UNKNOWN_SUBJECT,
)
from handbench.datasets.files import read_file, replace_file
from handbench.datasets.labels import Joints, check_places, parse_numbers, read_lines
from handbench.datasets.layout import FIX_FRAME, check_split, find_base, list_folder
from handbench.datasets.listing import Listing
from handbench.datasets.msra import keep_measured
from handbench.datasets.png import GREY_16, Depth, read_depth_png, write_depth_png
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points, project_points

FARTHEST_MM = 30000
_SUFFIXES = (".png", ".pgm", ".bin")
_FOLDERS = ("", "data", "dexter+object/data")
_LOADERS_SIGNS = (-1.0, -1.0)  # what the one published loader that projects the labels had to negate
_WORST_MEDIAN_PX = 12.0
_SHAPE = (DEXTER.camera.height, DEXTER.camera.width)


def depth_name(row: int) -> str:
    return f"{row:05d}_depth.png"


def read_depth(path: Path) -> Depth:
    """16-bit PNG; also 16-bit PGM and bare .bin of float32 or uint16."""
    if path.suffix == ".png":
        return read_depth_png(path, GREY_16, width=_SHAPE[1], height=_SHAPE[0], farthest_mm=FARTHEST_MM)
    content = read_file(path, holds="a depth image")
    depth_mm = _read_pgm(path, content) if path.suffix == ".pgm" else _read_bare(path, content)
    return keep_measured(path, depth_mm)


def write_depth(path: Path, depth_mm: Depth) -> None:
    write_depth_png(path, depth_mm, GREY_16, unmeasured=int(NOT_ANNOTATED))


def list_frames(root: Path, split: str, *, revised: Path | None = None) -> Listing:
    """The six sequences in the published order, as many as are there; joints are five tips, then three corners.

    `revised` is the folder of the revised annotations (one <Sequence>.txt each) or the one file that holds them all.
    """
    check_split(DEXTER, split)
    base = find_base(root, _FOLDERS, DEXTER_SEQUENCES, holds="Dexter+Object's sequences")
    present = [name for name in DEXTER_SEQUENCES if (base / name).is_dir()]
    files = [[f"{name}/depth/{file}" for file in _list_depth(base / name / "depth")] for name in present]
    counts = [len(names) for names in files]
    if revised is None:
        joints = [read_annotations(base / name, name) for name in present]
    else:
        joints = _read_revised_sets(revised, present, counts)
    for name, count, labels_mm in zip(present, counts, joints, strict=True):
        _check_counts(base / name, count, len(labels_mm))
    sequences = tuple(name for name, count in zip(present, counts, strict=True) for _ in range(count))
    return Listing(
        convention=DEXTER,
        split=split,
        root=base,
        names=tuple(itertools.chain.from_iterable(files)),
        subjects=(UNKNOWN_SUBJECT,) * len(sequences),
        sequences=sequences,
        joints_mm=np.concatenate(joints),
        read_depth=read_depth,
        annotations=SHIPPED if revised is None else REVISED,
    )


def read_annotations(folder: Path, sequence: str) -> Joints:
    """Five tips and three corners in camera axes; NaN where not annotated, or where the file has fewer corners."""
    paths = [folder / "annotations" / f"{sequence}{dimensions}.txt" for dimensions in ("3D", "2D")]
    (lines, xyz), (_, uv) = _read_entries(paths[0], 3), _read_entries(paths[1], 2)
    if xyz.shape[:2] != uv.shape[:2]:
        raise BadInput(
            paths[0],
            expected=f"the {uv.shape[0]} frames of {uv.shape[1]} points of {paths[1].name}",
            found=f"{xyz.shape[0]} of {xyz.shape[1]}",
            fix="take both files from the same download",
        )
    # 32001 marks a point that was not annotated; a point at the camera's own place cannot have been seen either.
    missing = _find_missing(xyz)
    points_mm = xyz * find_signs(paths[0], xyz[~missing], uv[~missing])
    check_places(lambda row: f"{paths[0]}, line {lines[row]}", points_mm, unknown=missing)
    points_mm[missing] = np.nan
    joints_mm = np.full((len(xyz), len(DEXTER.joints.names), 3), np.nan, np.float32)
    kept = min(points_mm.shape[1], joints_mm.shape[1])
    joints_mm[:, :kept] = points_mm[:, :kept]
    return joints_mm


def find_signs(
    path: Path, xyz: Float64[np.ndarray, "points 3"], uv: Float64[np.ndarray, "points 2"]
) -> Float64[np.ndarray, "3"]:
    """Of the four ways to turn x and y (and z to the front), the one under which the labels project onto the image."""
    if not len(xyz):
        return np.array([*_LOADERS_SIGNS, 1.0])
    front = 1.0 if np.median(xyz[:, 2]) > 0 else -1.0
    errors_px: dict[tuple[float, float, float], float] = {}
    for x, y in itertools.product((-1.0, 1.0), repeat=2):
        with np.errstate(over="ignore", invalid="ignore"):  # single impossible points do not move the median
            projected = project_points(xyz * np.array([x, y, front]), DEXTER.camera)[:, :2]
            errors_px[x, y, front] = float(np.median(np.linalg.norm(projected - uv, axis=1)))
    best = min(errors_px, key=errors_px.__getitem__)
    if not errors_px[best] <= _WORST_MEDIAN_PX:
        raise BadInput(
            path,
            expected=f"3D labels within {_WORST_MEDIAN_PX:.0f} px of the 2D labels under some choice of signs",
            found=f"a median of {errors_px[best]:.4g} px at best",
            fix="check that both files belong to this sequence and that 2D labels are pixels of the depth image",
        )
    return np.array(best)


def read_revised(path: Path) -> Float32[np.ndarray, "frames 24 3"]:
    """Revised annotations: (u, v, depth) of 21 hand joints and 3 object corners a line, in camera axes here."""
    lines = read_lines(path, holds="revised annotations, 72 numbers a line")
    columns = 3 * DEXTER_REVISED_POINTS
    rows = [
        parse_numbers(path, line, re.split(r"[\s,;]+", text.strip(" ,;")), columns, nan_allowed=True)
        for line, text in lines
    ]
    uvd = np.array(rows).reshape(-1, DEXTER_REVISED_POINTS, 3)
    missing = _find_missing(uvd) | np.isnan(uvd).any(axis=2)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
        points_mm = back_project_points(uvd, DEXTER.camera)
    check_places(lambda row: f"{path}, line {lines[row][0]}", points_mm, unknown=missing)
    points_mm[missing] = np.nan
    return points_mm.astype(np.float32)


def write_annotations(
    folder: Path, sequence: str, joints_mm: Joints, *, signs: tuple[float, float] = _LOADERS_SIGNS
) -> None:
    """annotations/<Sequence>3D.txt and 2D.txt, the 3D axes turned by `signs`; NaN becomes the code 32001."""
    missing = ~np.isfinite(joints_mm).all(axis=2)
    xyz = joints_mm * np.array([*signs, 1.0])
    xyz[missing] = (0.0, 0.0, NOT_ANNOTATED)
    with np.errstate(invalid="ignore"):
        uv = project_points(joints_mm.astype(np.float64), DEXTER.camera)[..., :2]
    uv[missing] = 0.0
    for dimensions, points in (("3D", xyz), ("2D", uv)):
        lines = ("; ".join(", ".join(f"{number:.3f}" for number in point) for point in frame) for frame in points)
        replace_file(folder / "annotations" / f"{sequence}{dimensions}.txt", ("\n".join(lines) + "\n").encode())


def _find_missing(points: Float64[np.ndarray, "frames points 3"]) -> Bool[np.ndarray, "frames points"]:
    """Where the depth says that nothing was annotated; any other impossible depth is an error."""
    return (np.abs(points[..., 2]) == NOT_ANNOTATED) | (points[..., 2] == 0)


def _read_entries(path: Path, dimensions: int) -> tuple[list[int], Float64[np.ndarray, "frames points dimensions"]]:
    """Line numbers and points; ';' between entries (one after the last is allowed), ',' inside, spaces anywhere."""
    lines = read_lines(path, holds="annotations: entries of numbers with ';' between them")
    if not lines:
        raise BadInput(path, expected="annotated frames", found="an empty file", fix="download the dataset again")
    entries = [[entry for entry in line.split(";") if entry.strip()] for _, line in lines]
    frames = []
    for (number, _), points in zip(lines, entries, strict=True):
        if len(points) != len(entries[0]) or len(points) < len(FINGERS):
            raise BadInput(
                f"{path}, line {number}",
                expected=f"five tips and the same number of corners in each line ({len(entries[0])} entries)",
                found=f"{len(points)} entries",
                fix="download the annotations again, or mend that line",
            )
        frames.append([parse_numbers(path, number, point.replace(",", " ").split(), dimensions) for point in points])
    return [number for number, _ in lines], np.array(frames)


def _list_depth(folder: Path) -> list[str]:
    """Depth files of one kind, in the order of the numbers in their names."""
    names = [entry.name for entry in list_folder(folder, holds="depth images")]
    for suffix in _SUFFIXES:
        chosen = [name for name in names if name.endswith(suffix)]
        odd = [name for name in chosen if not name.isprintable()]
        if odd:  # bytes that are not UTF-8, or a line end, cannot stand in an index of frames
            raise BadInput(
                folder, expected="printable file names", found=ascii(odd[0]), fix="rename or remove that file"
            )
        if chosen:
            return sorted(chosen, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    kinds = sorted({Path(name).suffix or name for name in names})
    raise BadInput(
        folder,
        expected=f"depth images ({', '.join(_SUFFIXES)})",
        found=", ".join(kinds[:4]) or "an empty folder",
        fix="download the dataset again; if its depth is stored otherwise, convert it to 16-bit PNG",
    )


def _read_revised_sets(revised: Path, present: list[str], counts: list[int]) -> list[Joints]:
    if revised.is_dir():
        return [read_revised(revised / f"{name}.txt")[:, DEXTER_REVISED_PLACES] for name in present]
    rows = read_revised(revised)[:, DEXTER_REVISED_PLACES]
    _check_counts(revised, sum(counts), len(rows))
    return np.split(rows, np.cumsum(counts)[:-1])


def _check_counts(where: Path, images: int, rows: int) -> None:
    """Lines carry no file names, so one image or one line too few would shift every frame after it."""
    if images != rows:
        raise BadInput(
            where,
            expected=f"one line of labels for each of {images} depth images",
            found=f"{rows} lines",
            fix="download the sequence again: pictures or labels are missing",
        )


def _read_pgm(path: Path, content: bytes) -> Depth:
    """Binary PGM with 16 bits a pixel, most significant byte first."""
    match = re.match(rb"P5\s+(?:#[^\n]*\n\s*)*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,9})\s", content)
    expected = 2 * _SHAPE[0] * _SHAPE[1]
    size = (int(match[2]), int(match[1])) if match else (0, 0)
    if match is None or size != _SHAPE or int(match[3]) < 256 or len(content) - match.end() != expected:
        raise BadInput(
            path,
            expected="a binary 16-bit PGM of 320x240",
            found=f"{len(content)} bytes that are not one",
            fix=FIX_FRAME,
        )
    return np.frombuffer(content, ">u2", offset=match.end()).reshape(_SHAPE).astype(np.float32)


def _read_bare(path: Path, content: bytes) -> Depth:
    """320x240 numbers and nothing else; the length tells which kind."""
    pixels = _SHAPE[0] * _SHAPE[1]
    kinds = {4 * pixels: "<f4", 2 * pixels: "<u2"}
    if len(content) not in kinds:
        raise BadInput(
            path,
            expected=f"{4 * pixels} bytes of float32 or {2 * pixels} of uint16",
            found=str(len(content)),
            fix=FIX_FRAME,
        )
    return np.frombuffer(content, kinds[len(content)]).reshape(_SHAPE).astype(np.float32)
