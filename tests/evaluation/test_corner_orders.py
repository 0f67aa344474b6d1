"""Which corners of a box count as the labelled ones: exact cases, symmetry, mirrors, and a slow version."""

from pathlib import Path

import numpy as np
import pytest

from handbench.errors import BadInput
from handbench.evaluation.corner_orders import (
    ORDERS,
    SIDES,
    TRIPLES,
    check_rigid,
    find_middles,
    match_corners,
    match_whole,
    measure_edges,
    straighten,
)
from handbench.geometry.box import BOX_EDGES, Box, box_corners

SIZE_MM = np.array([60.0, 110.0, 35.0])
LABELLED = [2, 0, 4]
HALF_TURNS = [np.diag(signs) for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))]


def turn(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def make_box(rotation: np.ndarray, centre: tuple[float, ...] = (10, 20, 500), size: np.ndarray = SIZE_MM) -> np.ndarray:
    return box_corners(Box(np.array(centre, float), rotation, size))[None]


def test_readings_are_all_the_symmetries_of_a_cube_and_half_of_them_turn() -> None:
    assert len({tuple(order) for order in ORDERS.tolist()}) == 48
    unit = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    dets = [np.linalg.det(measure_edges(unit[order][None])[0]) for order in ORDERS]
    np.testing.assert_array_equal(np.round(dets), SIDES)
    for order in ORDERS:
        joined = {frozenset((order[a], order[b])) for a, b in BOX_EDGES}
        assert joined == {frozenset(edge) for edge in BOX_EDGES}


def test_edges_are_twelve_and_as_long_as_the_box() -> None:
    corners = make_box(turn(0))[0]
    lengths = sorted(np.linalg.norm(corners[a] - corners[b]) for a, b in BOX_EDGES)
    np.testing.assert_allclose(lengths, np.repeat(sorted(SIZE_MM), 4))


@pytest.mark.parametrize("half_turn", HALF_TURNS)
@pytest.mark.parametrize("known", [False, True])
def test_a_half_turn_of_the_box_is_no_error(half_turn: np.ndarray, known: bool) -> None:
    rotation = turn(1)
    true = make_box(rotation)
    labels = true[:, LABELLED]
    predicted = make_box(rotation @ half_turn) + np.array([3.0, 0, 0])
    found = match_corners(predicted, labels, true if known else None)
    np.testing.assert_allclose(found - labels, np.broadcast_to([3.0, 0, 0], found.shape), atol=1e-9)
    whole = match_whole(predicted, labels, true)
    np.testing.assert_allclose(whole, found, atol=1e-9)


def test_a_box_on_the_other_side_of_the_labels_is_an_error_where_the_side_is_known() -> None:
    """The same three corners, the box mirrored at their face: labels alone cannot tell."""
    rotation = turn(2)
    true = make_box(rotation)
    labels = true[:, LABELLED]
    normal = rotation[:, 2]
    other = make_box(rotation, tuple(np.array([10, 20, 500]) - SIZE_MM[2] * normal))
    np.testing.assert_allclose(match_corners(other, labels), labels, atol=1e-9)
    assert np.linalg.norm(match_corners(other, labels, true) - labels, axis=-1).mean() > 30


def test_another_face_does_not_count_even_where_it_is_nearer() -> None:
    """Labels of the 110 x 60 face; the predicted box is turned so that its 110 x 35 face lies there."""
    true = make_box(np.eye(3))
    labels = true[:, LABELLED]
    quarter = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    predicted = make_box(quarter)
    found = match_corners(predicted, labels)[0]
    lengths = np.linalg.norm(found[[0, 2]] - found[1], axis=-1)
    np.testing.assert_allclose(lengths, [110, 60], atol=1e-9)


def test_of_a_cube_any_face_may_be_the_labelled_one() -> None:
    size = np.full(3, 50.0)
    true = make_box(np.eye(3), size=size)
    quarter = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])
    labels = true[:, LABELLED]
    np.testing.assert_allclose(match_corners(make_box(quarter, size=size), labels, true), labels, atol=1e-9)
    np.testing.assert_allclose(match_whole(make_box(quarter, size=size), labels, true), labels, atol=1e-9)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_labels_may_stand_in_any_order(order: tuple[int, ...]) -> None:
    true = make_box(turn(4))
    labels = true[:, LABELLED][:, list(order)]
    middle = find_middles(labels)[0, 1]
    np.testing.assert_allclose(labels[0, middle], true[0, LABELLED[1]])
    np.testing.assert_allclose(match_corners(true, labels), labels, atol=1e-9)
    np.testing.assert_allclose(match_corners(true, labels, true), labels, atol=1e-9)


def test_mirrored_boxes_are_read_as_the_boxes_they_are() -> None:
    """Left hands are drawn through a mirror: their corners come in a left-handed order, a prediction's need not."""
    mirror = np.array([-1.0, 1, 1])
    true = make_box(turn(5)) * mirror
    labels = true[:, LABELLED]
    edges = measure_edges(true)[0]
    proper = (edges / np.linalg.norm(edges, axis=1, keepdims=True)).T @ np.diag([-1.0, 1, 1])
    predicted = box_corners(Box(true[0].mean(axis=0), proper, SIZE_MM))[None]
    assert np.linalg.det(measure_edges(true)[0]) < 0 < np.linalg.det(measure_edges(predicted)[0])
    assert np.linalg.det(measure_edges(straighten(true))[0]) > 0
    for box in (predicted, true):
        np.testing.assert_allclose(match_corners(box, labels, true), labels, atol=1e-6)
        np.testing.assert_allclose(match_whole(box, labels, true), labels, atol=1e-6)


def test_a_slow_version_agrees() -> None:
    rng = np.random.default_rng(0)
    rotations = [turn(seed) for seed in range(20)]
    true = np.concatenate([make_box(rotation) for rotation in rotations])
    predicted = np.concatenate(
        [make_box(turn(100 + seed), tuple(rng.normal(0, 20, 3) + [10, 20, 500])) for seed in range(20)]
    )
    labels = true[:, LABELLED]
    found, whole = match_corners(predicted, labels, true), match_whole(predicted, labels, true)
    for frame in range(20):
        candidates = []
        for half_turn in HALF_TURNS:
            # Corner numbers after turning the box about its own axes.
            unit = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
            place = [int(np.flatnonzero((unit == corner @ half_turn).all(axis=1))[0]) for corner in unit]
            candidates.append(predicted[frame][place])
        by_labels = min(candidates, key=lambda box: np.linalg.norm(box[LABELLED] - labels[frame], axis=-1).mean())
        by_box = min(candidates, key=lambda box: np.linalg.norm(box - true[frame], axis=-1).mean())
        np.testing.assert_allclose(found[frame], by_labels[LABELLED], atol=1e-9)
        np.testing.assert_allclose(whole[frame], by_box[LABELLED], atol=1e-9)


def test_choosing_by_labels_never_gives_more_than_choosing_by_the_box() -> None:
    true = np.concatenate([make_box(turn(seed)) for seed in range(30)])
    predicted = np.concatenate([make_box(turn(50 + seed)) for seed in range(30)])
    labels = true[:, LABELLED]

    def measure(found: np.ndarray) -> np.ndarray:
        return np.linalg.norm(found - labels, axis=-1).mean(axis=-1)

    nearest = measure(match_corners(predicted, labels, true))
    assert (nearest <= measure(match_whole(predicted, labels, true)) + 1e-9).all()
    assert (measure(match_corners(predicted, labels)) <= nearest + 1e-9).all()


def test_frames_without_all_labels_do_not_disturb_the_others() -> None:
    true = np.concatenate([make_box(turn(seed)) for seed in range(3)])
    labels = true[:, LABELLED].copy()
    labels[1, 2] = np.nan
    true[2] = np.nan
    labels[2] = np.nan
    found = match_corners(make_box(turn(0)).repeat(3, axis=0), labels, true)
    np.testing.assert_allclose(found[0], labels[0], atol=1e-9)


def test_labels_of_other_boxes_are_refused() -> None:
    true = make_box(turn(0))
    with pytest.raises(BadInput, match="expected corners that the labels were made of, found labels up to 40 mm"):
        match_corners(true, true[:, LABELLED] + np.array([40.0, 0, 0]), true)


def test_corners_that_no_box_has_are_refused() -> None:
    corners = make_box(turn(0)).astype(np.float32)
    check_rigid(Path("a"), corners)
    check_rigid(Path("a"), corners * np.float32([-1, 1, 1]))
    bent = corners.copy()
    bent[0, 3] += 9
    with pytest.raises(BadInput, match="expected eight corners of a rigid box"):
        check_rigid(Path("a"), bent)
    skew = corners + 0.2 * corners[..., [1]] * np.array([1, 0, 0])
    with pytest.raises(BadInput, match="out of shape"):
        check_rigid(Path("a"), skew)


def test_triples_are_ends_of_two_edges_of_one_face() -> None:
    edges = {frozenset(edge) for edge in BOX_EDGES}
    for first, middle, last in TRIPLES.tolist():
        assert {frozenset((first, middle)), frozenset((middle, last))} <= edges
        assert frozenset((first, last)) not in edges
