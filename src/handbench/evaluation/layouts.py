"""What the three numbers of a joint may mean; a wrong reading is known by what brings it nearer the labels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from handbench.conventions import Camera
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points

LAYOUTS = {
    "uvd": "pixels u, v and depth in mm",
    "xyz": "millimetres with x right, y down, z forward",
    "xyz-up": "millimetres with y up (NYU's joint_xyz)",
    "xyz-msra": "millimetres with y up and z negative (MSRA's own axes)",
}
"""Layout word: what it means. Without a word the first two are told apart by the labels."""
ACCEPTED = ("uvd", "xyz")

SAMPLE_ROWS = 400
CLEARLY_BETTER = 0.6
"""A wrong reading is named only if undoing it leaves less than this share of the error."""
GOOD_ENOUGH_MM = 15.0
PLAUSIBLE_MM = 150.0
"""A reading that leaves the joints further from the labels than a hand is long explains nothing."""
HOPELESS_MM = 300.0
"""Beyond it a prediction lies further off than any place within the hand's cube."""

_PIECE = 1024
"""Frames at a time: what is computed on the way then stays in the processor's cache."""

Joints = Float64[np.ndarray, "frames joints 3"]
_UP = np.array([1.0, -1.0, 1.0])
_MSRA = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class _Suspect:
    """A mistake that files are known to hold, and how to undo it."""

    found: str
    fix: str
    undo: Callable[[Joints, Camera, Joints], Joints]


def check_layout(word: str) -> None:
    if word not in ("auto", *LAYOUTS):
        raise BadInput(word, expected=f"a layout: auto, {', '.join(LAYOUTS)}", found="another word", fix="choose one")


def apply_layout(raw: Joints, layout: str, camera: Camera) -> Joints:
    """Numbers of a file to camera axes in millimetres."""
    if layout == "uvd":
        joints_mm = np.empty_like(raw)
        for first in range(0, len(raw), _PIECE):
            joints_mm[first : first + _PIECE] = back_project_points(raw[first : first + _PIECE], camera)
        return joints_mm
    signs = {"xyz": np.ones(3), "xyz-up": _UP, "xyz-msra": _MSRA}[layout]
    return raw * signs


def choose_layout(raw: Joints, truth_mm: Joints, camera: Camera, *, layout: str, where: str, labels: str = "") -> str:
    """The layout whose reading lies nearest the labels; a known mistake that explains the numbers better is named.

    `labels` is a label file that may itself be what is read wrongly.
    """
    rows = np.unique(np.linspace(0, len(raw) - 1, SAMPLE_ROWS).astype(np.int64))
    raw, truth_mm = raw[rows], truth_mm[rows]
    allowed = ACCEPTED if layout == "auto" else (layout,)
    errors = {word: _typical_error(apply_layout(raw, word, camera), truth_mm) for word in allowed}
    best = min(allowed, key=errors.__getitem__)
    if not errors[best] > GOOD_ENOUGH_MM:
        return best
    suspects = [*_other_layouts(allowed), *_SUSPECTS]
    undone = [_typical_error(suspect.undo(raw, camera, truth_mm), truth_mm) for suspect in suspects]
    nearest = int(np.argmin(undone))
    if undone[nearest] < min(CLEARLY_BETTER * errors[best], PLAUSIBLE_MM):
        raise BadInput(
            where,
            expected=LAYOUTS[best] if layout != "auto" else "pixels and depth (u, v, mm) or millimetres (x, y down, z)",
            found=f"{suspects[nearest].found}: so read they lie {undone[nearest]:.0f} mm from the labels, "
            f"else {errors[best]:.0f}",
            fix=suspects[nearest].fix + (f" (or, if {labels} is the odd one, --ground-truth-layout)" if labels else ""),
        )
    if errors[best] > HOPELESS_MM:
        raise BadInput(
            where,
            expected=" or ".join(LAYOUTS[word] for word in allowed),
            found=f"numbers that lie {errors[best]:.0f} mm from the labels, read as {best}, the nearest reading",
            fix="check the dataset, the order of the frames, the unit and the axes",
        )
    return best


def _typical_error(joints_mm: Joints, truth_mm: Joints) -> float:
    """Median over frames and joints, so that a few wild predictions do not decide."""
    with np.errstate(all="ignore"):
        squares = np.square(joints_mm - truth_mm)
        distances = np.sqrt(squares[..., 0] + squares[..., 1] + squares[..., 2])
    known = distances[~np.isnan(truth_mm).any(axis=-1)]
    return float(np.median(np.nan_to_num(known, nan=np.inf, posinf=np.inf))) if len(known) else float("inf")


def _other_layouts(allowed: tuple[str, ...]) -> list[_Suspect]:
    return [
        _Suspect(meaning, f"add --layout {word}", _scaled(1.0, word))
        for word, meaning in LAYOUTS.items()
        if word not in allowed
    ]


def _scaled(factor: float, layout: str) -> Callable[[Joints, Camera, Joints], Joints]:
    scale = np.array([1.0, 1.0, factor]) if layout == "uvd" else factor
    return lambda raw, camera, _: apply_layout(raw * scale, layout, camera)


def _stretched_z(factor: float) -> Callable[[Joints, Camera, Joints], Joints]:
    return lambda raw, camera, _: raw * np.array([1.0, 1.0, factor])


def _swapped(order: tuple[int, int, int], layout: str) -> Callable[[Joints, Camera, Joints], Joints]:
    return lambda raw, camera, _: apply_layout(raw[..., order], layout, camera)


def _signed(signs: tuple[int, int, int], layout: str) -> Callable[[Joints, Camera, Joints], Joints]:
    return lambda raw, camera, _: apply_layout(raw * np.array(signs), layout, camera)


def _mirrored(*, across: bool, upward: bool) -> Callable[[Joints, Camera, Joints], Joints]:
    """Pixels that were counted from the right, from the bottom, or from both."""

    def undo(raw: Joints, camera: Camera, _: Joints) -> Joints:
        u, v, depth = np.moveaxis(raw, -1, 0)
        u, v = camera.width - u if across else u, camera.height - v if upward else v
        return apply_layout(np.stack([u, v, depth], axis=-1), "uvd", camera)

    return undo


def _reversed_columns(layout: str) -> Callable[[Joints, Camera, Joints], Joints]:
    return lambda raw, camera, _: apply_layout(raw[:, ::-1, ::-1], layout, camera)


def _placed(signs: np.ndarray, factor: float) -> Callable[[Joints, Camera, Joints], Joints]:
    """Numbers around a centre, put where the hand is; only if they do lie around zero."""

    def undo(raw: Joints, camera: Camera, truth_mm: Joints) -> Joints:
        joints_mm = raw * signs * factor
        if abs(np.median(joints_mm[..., 2])) > 0.3 * abs(np.nanmedian(truth_mm[..., 2])):
            return np.full_like(raw, np.inf)
        return joints_mm + np.nanmean(truth_mm - joints_mm, axis=1, keepdims=True)

    return undo


def _list_suspects() -> tuple[_Suspect, ...]:
    to_mm = "multiply by 1000 to give millimetres"
    suspects = [
        _Suspect("depth in metres behind pixels u, v", to_mm, _scaled(1000.0, "uvd")),
        _Suspect("depth in centimetres behind pixels u, v", "give millimetres", _scaled(10.0, "uvd")),
        _Suspect("x and y in millimetres and z in metres", "multiply z by 1000", _stretched_z(1000.0)),
        _Suspect("v before u (row before column)", "swap the two columns", _swapped((1, 0, 2), "uvd")),
        _Suspect("depth before u, v", "put the depth last", _swapped((1, 2, 0), "uvd")),
        _Suspect("depth before v, u", "write u, v, depth", _swapped((2, 1, 0), "uvd")),
        _Suspect("pixels with u counted from the right", "give u from the left", _mirrored(across=True, upward=False)),
        _Suspect(
            "pixels with v counted upwards",
            "give v from the top of the image",
            _mirrored(across=False, upward=True),
        ),
        _Suspect(
            "pixels with u counted from the right and v upwards",
            "give both from the image's top left",
            _mirrored(across=True, upward=True),
        ),
        _Suspect("a negative depth behind pixels u, v", "give a positive depth", _signed((1, 1, -1), "uvd")),
        _Suspect("u with the wrong sign", "give a positive u, from the left", _signed((-1, 1, 1), "uvd")),
        _Suspect("v with the wrong sign", "give a positive v, from the top", _signed((1, -1, 1), "uvd")),
        _Suspect("x with the wrong sign (left)", "give x to the right", _signed((-1, 1, 1), "xyz")),
        _Suspect("x and y with the wrong sign", "give x to the right, y down", _signed((-1, -1, 1), "xyz")),
        _Suspect("z with the wrong sign (negative)", "give z forward", _signed((1, 1, -1), "xyz")),
    ]
    for layout, words in (("xyz", ""), ("xyz-up", " with y up"), ("xyz-msra", " with y up and z negative")):
        fix = to_mm if layout == "xyz" else f"{to_mm}, then add --layout {layout}"
        suspects.append(_Suspect(f"metres{words}", fix, _scaled(1000.0, layout)))
        suspects.append(_Suspect(f"centimetres{words}", "multiply by 10 to give millimetres", _scaled(10.0, layout)))
    for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        letters = "".join("xyz"[order.index(axis)] for axis in range(3))
        suspects.append(_Suspect(f"axes in the order {letters}", "write x, y, z", _swapped(order, "xyz")))
    for layout, letters in (("uvd", "u, v, depth"), ("xyz", "x, y, z")):
        found = f"columns from last to first (the last joint before the first, {letters} backwards)"
        suspects.append(_Suspect(found, "turn each row around", _reversed_columns(layout)))
    relative = "positions relative to the hand's centre, not to the camera"
    for signs, factor in ((np.ones(3), 1.0), (_UP, 1.0), (_MSRA, 1.0), (np.ones(3), 1000.0), (_UP, 1000.0)):
        suspects.append(_Suspect(relative, "add the centre of each frame's crop", _placed(signs, factor)))
    return tuple(suspects)


_SUSPECTS = _list_suspects()
