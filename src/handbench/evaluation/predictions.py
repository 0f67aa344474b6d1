"""Anyone's predictions and labels: read, put into camera axes, matched with the frames they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from handbench.conventions import (
    DATASETS,
    DEXTER_CORNERS,
    DEXTER_REVISED_PLACES,
    DEXTER_REVISED_POINTS,
    ICVL_TEST_FRAMES,
    NOT_ANNOTATED,
    NYU_TEST_FRAMES,
    REVISED,
)
from handbench.errors import BadInput
from handbench.evaluation.joint_orders import check_columns, check_order, find_places, is_revised_form
from handbench.evaluation.layouts import apply_layout, check_layout, choose_layout
from handbench.evaluation.table_file import Table, check_finite, read_table

PARTS = {"icvl": ICVL_TEST_FRAMES, "nyu": NYU_TEST_FRAMES}
"""Test sets that fall into parts people publish alone: frames of each part, in file order."""

NEAREST_MM, FARTHEST_MM = 100.0, 3000.0
"""Where a hand can be at the median of a set, for a sensor to see it."""


@dataclass(frozen=True)
class GroundTruth:
    """The labels of a test set in camera axes, NaN where a joint is not labelled."""

    dataset: str
    path: Path
    joints_mm: Float64[np.ndarray, "frames joints 3"]
    names: tuple[str, ...]
    """Frame names in order; empty where none are known."""
    sequences: tuple[str, ...]
    """The sequence of every frame, for intervals."""
    corners_mm: Float64[np.ndarray, "frames 3 3"] | None = None
    """Dexter+Object: the object's corners, where the file has them."""
    published: bool = False
    """Whether these are the labels that the published methods were measured on."""
    list_rows: Int64[np.ndarray, "frames"] | None = None
    """Place of every frame in the published list, where the labels are those of a crop store."""
    boxes_mm: Float64[np.ndarray, "frames 8 3"] | None = None
    """All corners of the object, where its true box is known; NaN where nothing is held."""
    annotations: str = ""
    """Dexter+Object: `shipped` or `revised`, where that is known."""


@dataclass(frozen=True)
class Predictions:
    """Joints in camera axes and the rows of the ground truth that they belong to."""

    joints_mm: Float64[np.ndarray, "frames joints 3"]
    rows: Int64[np.ndarray, "frames"]
    layout: str
    notes: tuple[str, ...]
    corners_mm: Float64[np.ndarray, "frames 3 3"] | None = None


def read_ground_truth(
    path: Path, dataset: str, *, names: Sequence[str] = (), layout: str = "auto", published: bool = False
) -> GroundTruth:
    """Labels of the scored joints; NaN and the sensor's 32001 mark what is not labelled."""
    check_layout(layout)
    table = read_table(path)
    every, revised = _read_points(table, dataset)
    places = find_places(dataset, every.shape[1], "scored", where=str(path))
    check_finite(table, nan_allowed=True)
    if revised:  # where no point can be seen
        every = np.where(every[..., 2:] == 0, np.nan, every)
    if not every.max() < NOT_ANNOTATED:  # which NaN is not either
        every = np.where((np.isnan(every) | (every == NOT_ANNOTATED)).any(axis=-1, keepdims=True), np.nan, every)
    raw = _pick(every, places)
    if np.isnan(raw).all():
        raise BadInput(path, expected="labels", found="none that is not NaN or 32001", fix="check the file")
    word = ("uvd" if revised else _guess_label_layout(raw, dataset)) if layout == "auto" else layout
    _check_label_unit(raw, path)
    names = tuple(names) or table.names
    if names and len(names) != len(raw):
        raise BadInput(path, expected=f"{len(names)} frames, as many as names", found=str(len(raw)), fix="check both")
    return GroundTruth(
        dataset=dataset,
        path=path,
        joints_mm=apply_layout(raw, word, DATASETS[dataset].camera),
        names=names,
        sequences=_find_sequences(dataset, names, len(raw)),
        corners_mm=_find_corners(every, dataset, word),
        published=published,
        annotations=REVISED if revised else "",
    )


def read_predictions(path: Path, truth: GroundTruth, *, layout: str = "auto", order: str = "scored") -> Predictions:
    """Predictions for all frames of the truth, for one known part of it, or for the frames that the file names."""
    check_layout(layout)
    table = read_table(path)
    every, revised = _read_points(table, truth.dataset)
    places = find_places(truth.dataset, every.shape[1], order, where=str(path))
    rows, notes = _match_frames(table, truth)
    check_finite(table)
    if not are_all(rows, len(rows)):
        # In list order, since the interval's blocks are runs of neighbouring frames.
        by_row = np.argsort(rows)
        rows, every = rows[by_row], every[by_row]
    raw = _pick(every, places)
    true_mm = take_rows(truth.joints_mm, rows)
    camera = DATASETS[truth.dataset].camera
    word = choose_layout(raw, true_mm, camera, layout=layout, where=str(path), labels=_name_labels(truth))
    joints_mm = apply_layout(raw, word, camera)
    check_order(joints_mm, true_mm, truth.dataset, where=str(path))
    corners_mm = _find_corners(every, truth.dataset, word)
    if revised:
        notes += (f"fingertips and corners taken of the file's {DEXTER_REVISED_POINTS} points",)
    elif every.shape[1] != len(places) and corners_mm is None:
        notes += (f"{len(places)} scored joints taken of the file's {every.shape[1]}",)
    return Predictions(joints_mm, rows, word, notes, corners_mm)


def take_rows(joints_mm: Float64[np.ndarray, "all joints 3"], rows: Int64[np.ndarray, "frames"]) -> np.ndarray:
    """`joints_mm[rows]`, without a copy where that is every row in order."""
    return joints_mm if are_all(rows, len(joints_mm)) else joints_mm[rows]


def are_all(rows: Int64[np.ndarray, "frames"], frames: int) -> bool:
    """Whether these are the rows 0, 1, ... of so many frames."""
    return len(rows) == frames and bool((np.diff(rows, prepend=-1) == 1).all())


def _read_points(table: Table, dataset: str) -> tuple[Float64[np.ndarray, "frames points 3"], bool]:
    """The points of every frame; tips and corners alone of a file in the form of the revised annotations."""
    points = check_columns(dataset, table.numbers.shape[1], where=str(table.path))
    every = table.numbers.reshape(len(table.numbers), points, 3)
    revised = is_revised_form(dataset, points)
    return every[:, DEXTER_REVISED_PLACES] if revised else every, revised


def _pick(every: Float64[np.ndarray, "frames all 3"], places: Sequence[int]) -> Float64[np.ndarray, "frames joints 3"]:
    """The joints at these places, without a copy where they are all joints in their order."""
    return every if tuple(places) == tuple(range(every.shape[1])) else every[:, places]


def _name_labels(truth: GroundTruth) -> str:
    """The file to blame besides the predictions: labels that somebody gave may be the ones with other axes."""
    return "" if truth.published or truth.list_rows is not None else str(truth.path)


def _find_corners(
    every: Float64[np.ndarray, "frames points 3"], dataset: str, layout: str
) -> Float64[np.ndarray, "frames 3 3"] | None:
    """The object's corners of Dexter+Object, which stand behind the fingertips."""
    convention = DATASETS[dataset]
    places = [convention.joints.index(name) for name in DEXTER_CORNERS if name in convention.joints.names]
    if not places or every.shape[1] <= max(places):
        return None
    return apply_layout(every[:, places], layout, convention.camera)


def _match_frames(table: Table, truth: GroundTruth) -> tuple[Int64[np.ndarray, "frames"], tuple[str, ...]]:
    """The row of the truth behind every row of the file, and what to say about it."""
    frames, whole = len(table.numbers), len(truth.joints_mm)
    if table.names and not truth.names:
        raise BadInput(
            table.path,
            expected=f"labels with frame names, to match those of this file (labels: {truth.path})",
            found="labels without names",
            fix=f"put {truth.dataset}_test_list.txt beside the labels, or names into their first column; "
            "without names in either file, frames are matched by their order",
        )
    if table.names and truth.names:
        rows = _match_names(table, truth)
        return rows, (f"covers {frames:,} of {whole:,} frames, by name",) if frames < whole else ()
    if frames == whole:
        return np.arange(whole), ()
    first = 0
    for name, size in PARTS.get(truth.dataset, {}).items():
        if frames == size and sum(PARTS[truth.dataset].values()) == whole:
            return np.arange(first, first + size), (f"covers {frames:,} of {whole:,} frames: {name}",)
        first += size
    parts = [f"{size:,} ({name})" for name, size in PARTS.get(truth.dataset, {}).items()]
    raise BadInput(
        table.path,
        expected=f"{' or '.join([f'{whole:,} frames', *parts])}, as in {truth.path}",
        found=f"{frames:,}",
        fix="predict every frame in list order, or write each frame's name in the first column"
        if not table.names
        else "give labels with frame names, so that the names can be matched",
    )


def _match_names(table: Table, truth: GroundTruth) -> Int64[np.ndarray, "frames"]:
    """By whole names where they agree, else by as many trailing parts of the paths as are needed to be unique."""
    for parts in (None, 3, 2, 1):
        index = {_tail(name, parts): row for row, name in enumerate(truth.names)}
        keys = [_tail(name, parts) for name in table.names]
        if len(index) == len(truth.names) and keys[0] in index:
            break
    else:
        raise BadInput(
            table.place(0), expected=f"a frame name such as {truth.names[0]}", found=table.names[0][:60], fix=_NAMES
        )
    for row, key in enumerate(keys):
        if key not in index:
            raise BadInput(table.place(row), expected="the name of a frame", found=table.names[row][:60], fix=_NAMES)
    rows = np.array([index[key] for key in keys], np.int64)
    repeated = np.flatnonzero(np.bincount(rows, minlength=1) > 1)
    if len(repeated):
        raise BadInput(
            table.path, expected="every frame once", found=f"{truth.names[repeated[0]]} more than once", fix=_NAMES
        )
    return rows


_NAMES = "use the names of the test list, one frame a line"


def _tail(name: str, parts: int | None) -> str:
    return name if parts is None else "/".join(name.split("/")[-parts:])


def _check_label_unit(raw: Float64[np.ndarray, "frames joints 3"], path: Path) -> None:
    """Hands are measured between a decimetre and a few metres from the camera."""
    depth = abs(float(np.nanmedian(raw[..., 2])))
    if not NEAREST_MM <= depth <= FARTHEST_MM:
        guess = "metres" if 0.1 <= depth <= 3 else "centimetres" if 10 <= depth <= 100 else "another unit or other axes"
        raise BadInput(
            path,
            expected=f"labels with a depth of {NEAREST_MM:g} to {FARTHEST_MM:g} mm",
            found=f"{depth:g} at the median ({guess})",
            fix="give the labels in millimetres, z last",
        )


def _guess_label_layout(raw: Float64[np.ndarray, "frames joints 3"], dataset: str) -> str:
    """Labels in pixels lie inside the image with the depth last; in millimetres x and y lie around zero."""
    camera = DATASETS[dataset].camera
    u, v, d = (np.nanmedian(raw[..., axis]) for axis in range(3))
    if d < 0:
        return "xyz-msra"
    known = raw[~np.isnan(raw).any(axis=-1)]
    inside = ((known[:, 0] > 0) & (known[:, 1] > 0) & (known[:, 0] < camera.width)).mean()
    if inside > 0.95 and 0 < u < camera.width and 0 < v < camera.height:
        return "uvd"
    return "xyz"


def _find_sequences(dataset: str, names: Sequence[str], frames: int) -> tuple[str, ...]:
    parts = PARTS.get(dataset, {})
    if sum(parts.values()) == frames:
        return tuple(chain.from_iterable(repeat(name, size) for name, size in parts.items()))
    if names:
        return tuple(name.rpartition("/")[0] for name in names)
    return (dataset,) * frames
