"""Which column of a file is which joint: the scored joints picked out of files with more joints or other orders."""

import numpy as np

from handbench.conventions import (
    DATASETS,
    DEXTER,
    DEXTER_REVISED_POINTS,
    NYU_CONV_JOINT_NAMES,
    NYU_LIE_X_ORDER,
    NYU_SCORED_JOINTS,
    RECORDED,
    Convention,
)
from handbench.errors import BadInput
from handbench.evaluation.layouts import CLEARLY_BETTER, GOOD_ENOUGH_MM, SAMPLE_ROWS, Joints

_KNOWN: dict[str, dict[str, tuple[int, ...]]] = {
    "nyu": {
        "conv": tuple(NYU_CONV_JOINT_NAMES.index(name) for name in NYU_SCORED_JOINTS.names),
        "lie-x": NYU_LIE_X_ORDER,
    }
}
"""Order word: for each scored joint, its place in the file."""


def scored_names(dataset: str) -> tuple[str, ...]:
    convention = DATASETS[dataset]
    return tuple(convention.joints.names[index] for index in convention.scored)


def find_places(dataset: str, joints: int, order: str, *, where: str) -> tuple[int, ...]:
    """For each scored joint its place among the `joints` of a file.

    `order` is `scored`, a known word, or the places themselves as numbers from 0 with commas.
    """
    convention = DATASETS[dataset]
    scored = len(convention.scored)
    if order == "scored":
        return convention.scored if joints == len(convention.joints.names) else tuple(range(scored))
    known = _KNOWN.get(dataset, {})
    places = known.get(order) or _parse_places(order)
    if places is None or len(places) != scored or len(set(places)) != scored or not max(places) < joints:
        raise BadInput(
            where,
            expected=f"an order: {', '.join(('scored', *known))} or {scored} different places from 0 to {joints - 1}",
            found=order[:60],
            fix="for each scored joint give its place in the file, as in --order 13,11,12,...",
        )
    return places


def check_columns(dataset: str, columns: int, *, where: str) -> int:
    """The number of joints in a file of so many columns; another count is named for what it probably is."""
    convention = DATASETS[dataset]
    scored, every = len(convention.scored), len(convention.joints.names)
    if columns in (3 * scored, 3 * every) or (is_revised_form(dataset, columns // 3) and columns % 3 == 0):
        return columns // 3
    expected = f"{3 * scored} numbers a frame ({scored} joints of {convention.name.upper()} x 3)"
    if every != scored:
        expected += f" or {3 * every} (all {every})"
    if dataset == DEXTER.name:
        expected += f" or {3 * DEXTER_REVISED_POINTS} (those of the revised annotations)"
    raise BadInput(where, expected=expected, found=f"{columns}{_explain_columns(convention, columns)}", fix=_FIX)


def is_revised_form(dataset: str, points: int) -> bool:
    """Whether a file has the points of Dexter+Object's revised annotations in place of the scored ones."""
    return dataset == DEXTER.name and points == DEXTER_REVISED_POINTS


_FIX = "write u v d or x y z of each joint, nothing else but a frame name"


def _explain_columns(convention: Convention, columns: int) -> str:
    scored, every = len(convention.scored), len(convention.joints.names)
    if columns in (2 * scored, 2 * every):
        return " (two a joint: pixels without depth, which no error in mm can be computed of)"
    if columns in (3 * scored + 1, 3 * every + 1):
        return " (one more: a running number in the first column?)"
    if columns in (4 * scored, 4 * every):
        return " (four a joint: a confidence or visibility besides the position?)"
    if columns in (6 * scored, 6 * every):
        return " (twice as many: decimal commas? write decimal points)"
    others = [c.name.upper() for c in RECORDED.values() if columns in (3 * len(c.scored), 3 * len(c.joints.names))]
    return f" (as {' and '.join(others)} would have: another dataset?)" if others else ""


def check_order(joints_mm: Joints, truth_mm: Joints, dataset: str, *, where: str) -> None:
    """Refuse joints that stand in another order: each lies nearer another joint's label than its own."""
    rows = np.unique(np.linspace(0, len(joints_mm) - 1, SAMPLE_ROWS).astype(np.int64))
    predicted, true = joints_mm[rows], truth_mm[rows]
    squares = np.zeros((len(rows), true.shape[1], predicted.shape[1]))
    for axis in range(3):
        squares += np.square(predicted[:, None, :, axis] - true[:, :, None, axis])
    between = np.sqrt(squares, out=squares)
    distances = between.mean(axis=0)
    if np.isnan(distances).any():
        if np.isnan(between).all(axis=0).any():
            return  # a joint that is never labelled says nothing of its order
        distances = np.nanmean(between, axis=0)
    own = np.arange(len(distances))
    if (distances.argmin(axis=1) == own).all():
        return
    # Imported here, as only a doubtful file needs it.
    from scipy.optimize import linear_sum_assignment

    places = linear_sum_assignment(distances)[1]
    as_given, reordered = float(distances[own, own].mean()), float(distances[own, places].mean())
    if as_given > GOOD_ENOUGH_MM and reordered < CLEARLY_BETTER * as_given:
        words = [word for word, known in _KNOWN.get(dataset, {}).items() if known == tuple(places)]
        order = words[0] if words else ",".join(map(str, places))
        raise BadInput(
            where,
            expected=f"joints in the order {', '.join(scored_names(dataset)[:3])}, ...",
            found=f"another order: {reordered:.0f} mm from the labels if reordered, {as_given:.0f} as given",
            fix=f"add --order {order}",
        )


def _parse_places(order: str) -> tuple[int, ...] | None:
    parts = order.split(",")
    return tuple(map(int, parts)) if all(part.strip().isdecimal() for part in parts) else None
