"""Centre strategies on small scenes whose answer is known, and on the real frame."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from handbench.conventions import DATASETS, DEXTER, HANDOBJECT, ICVL, MSRA, NYU, Convention
from handbench.datasets.centres import Centre, CentreStrategy, choose_strategy, find_centre
from handbench.datasets.listing import Frame
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points


def make_frame(
    convention: Convention, depth_mm: np.ndarray | None = None, joints_mm: np.ndarray | None = None, subject: str = "s"
) -> Frame:
    camera = convention.camera
    if depth_mm is None:
        depth_mm = np.zeros((camera.height, camera.width), np.float32)
    if joints_mm is None:
        joints_mm = np.full((len(convention.joints.names), 3), np.nan, np.float32)
    return Frame("frame", 0, subject, "sequence", depth_mm, joints_mm, camera)


def paint_box(depth_mm: np.ndarray, convention: Convention, low_mm, high_mm) -> None:
    """A flat front at depth low z, from low to high in x and y, seen by the convention's camera."""
    camera, z = convention.camera, low_mm[2]
    u = [round(x * camera.fx / z + camera.cx) for x in (low_mm[0], high_mm[0])]
    v = [round(y * camera.fy / z + camera.cy) for y in (low_mm[1], high_mm[1])]
    depth_mm[max(v[0], 0) : v[1], max(u[0], 0) : u[1]] = z


def labels_of(convention: Convention, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    joints = len(convention.joints.names)
    return (rng.uniform(-80, 80, (joints, 3)) + np.array([20, -10, 700])).astype(np.float32)


@pytest.mark.parametrize(
    ("dataset", "joint"), [("nyu", "PALM_3"), ("icvl", "palm"), ("msra", "middle_mcp"), ("msra14", "middle_mcp")]
)
def test_trap_9_joint_is_the_papers_centre(dataset, joint):
    convention = DATASETS[dataset]
    labels_mm = labels_of(convention)
    found = find_centre(make_frame(convention, joints_mm=labels_mm), convention, "joint")
    np.testing.assert_array_equal(found.centre_mm, labels_mm[convention.joints.names.index(joint)])
    assert found.fallback == ""


def test_a_named_joint_is_deepmodels_centre():
    labels_mm = labels_of(NYU)
    found = find_centre(make_frame(NYU, joints_mm=labels_mm), NYU, "joint-PALM_5")
    np.testing.assert_array_equal(found.centre_mm, labels_mm[34])


@pytest.mark.parametrize(("subject", "cube_mm"), [("P0", 200.0), ("P4", 180.0), ("P8", 150.0)])
def test_the_cube_is_the_subjects(subject, cube_mm):
    frame = make_frame(MSRA, joints_mm=labels_of(MSRA), subject=subject)
    assert find_centre(frame, MSRA, "joint").cube_mm == cube_mm


def test_tips_are_averaged_over_those_annotated():
    labels_mm = np.full((8, 3), np.nan, np.float32)
    labels_mm[1], labels_mm[3], labels_mm[6] = (0, 0, 500), (20, 40, 520), (900, 900, 900)
    found = find_centre(make_frame(DEXTER, joints_mm=labels_mm), DEXTER, "joint")
    np.testing.assert_array_equal(found.centre_mm, [10, 20, 510])


def test_block_by_hand():
    labels_mm = np.full((16, 3), np.nan, np.float32)
    labels_mm[0], labels_mm[5], labels_mm[9] = (-10, 0, 400), (50, 20, 410), (20, 160, 380)
    found = find_centre(make_frame(ICVL, joints_mm=labels_mm), ICVL, "block")
    # The box is 60 x 160 x 30 mm; 30 mm of flesh on each side of the longest edge make 220.
    np.testing.assert_array_equal(found.centre_mm, [20, 80, 395])
    assert found.cube_mm == 220


def test_seen_by_hand():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, ICVL, (-40, -30, 400), (60, 70, 400))
    labels_mm = np.full((16, 3), 900, np.float32)
    found = find_centre(make_frame(ICVL, depth_mm, joints_mm=labels_mm), ICVL, "seen")
    # A joint lies 10 mm behind what is seen; of the 30 mm around labels 20 are left around the surface.
    np.testing.assert_allclose(found.centre_mm, [10, 20, 410], atol=2)
    assert found.cube_mm == pytest.approx(140, abs=4)


def test_seen_takes_a_hand_that_holes_part_and_leaves_the_table_behind_it():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, ICVL, (-40, 0, 400), (60, 70, 400))
    # A finger beyond a hole, and one that points at the camera and whose tip alone is measured.
    paint_box(depth_mm, ICVL, (-40, -50, 400), (-20, -20, 400))
    paint_box(depth_mm, ICVL, (70, 60, 340), (90, 75, 340))
    alone = find_centre(make_frame(ICVL, depth_mm), ICVL, "seen")
    np.testing.assert_allclose(alone.centre_mm, [25, 12, 380], atol=3)
    assert alone.cube_mm == pytest.approx(170, abs=5)
    assert alone.doubt == ""
    behind_mm = np.where(depth_mm > 0, depth_mm, np.float32(450))
    table = find_centre(make_frame(ICVL, behind_mm), ICVL, "seen")
    np.testing.assert_allclose(table.centre_mm, alone.centre_mm, atol=1)
    assert table.cube_mm == pytest.approx(alone.cube_mm, abs=1)


def test_pieces_too_small_for_a_hand_are_one_where_holes_part_them():
    depth_mm = np.zeros((240, 320), np.float32)
    for left_mm in (-50, -10, 30):
        paint_box(depth_mm, ICVL, (left_mm, -15, 400), (left_mm + 30, 15, 400))
    for word in ("com", "seen"):
        found = find_centre(make_frame(ICVL, depth_mm), ICVL, word)
        np.testing.assert_allclose(found.centre_mm[:2], [5, 0], atol=2)
        assert found.fallback == ""
    apart_mm = np.where(np.arange(320) < 160, depth_mm, 0).astype(np.float32)
    assert find_centre(make_frame(ICVL, apart_mm), ICVL, "com").fallback.startswith("no region of a hand's size")


def test_a_seen_box_that_may_cut_the_hand_is_doubted():
    at_edge_mm, far_mm, parted_mm = (np.zeros((240, 320), np.float32) for _ in range(3))
    paint_box(at_edge_mm, ICVL, (-300, -30, 400), (-200, 70, 400))
    paint_box(far_mm, ICVL, (-40, -40, 400), (180, 40, 400))
    far_mm[:, 250:] = np.where(far_mm[:, 250:] > 0, 420, 0)
    paint_box(parted_mm, ICVL, (-40, -30, 400), (0, 40, 400))
    paint_box(parted_mm, ICVL, (20, -30, 400), (60, 40, 400))
    doubts = [find_centre(make_frame(ICVL, one), ICVL, "seen").doubt for one in (at_edge_mm, far_mm, parted_mm)]
    assert [doubt.partition(":")[0] for doubt in doubts] == [
        "the hand reaches the image's edge",
        "what is seen reaches beyond the cube in which a hand is looked for",
        "the hand is seen in pieces",
    ]


def test_without_a_surface_seen_falls_back_as_com_does():
    depth_mm = np.zeros((240, 320), np.float32)
    found, mass = (find_centre(make_frame(ICVL, depth_mm), ICVL, word) for word in ("seen", "com"))
    assert found.fallback == mass.fallback != ""
    assert found.cube_mm == mass.cube_mm


def test_block_leaves_the_object_out():
    labels_mm = np.full((8, 3), np.nan, np.float32)
    labels_mm[0], labels_mm[1], labels_mm[5:] = (0, 0, 500), (40, 0, 500), (5000, 5000, 5000)
    assert find_centre(make_frame(DEXTER, joints_mm=labels_mm), DEXTER, "block").cube_mm == 100


def test_com_of_a_box_by_hand():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, ICVL, (-40, -30, 400), (60, 70, 400))
    found = find_centre(make_frame(ICVL, depth_mm), ICVL, "com")
    np.testing.assert_allclose(found.centre_mm, [10, 20, 400], atol=2)


def test_com_ignores_body_behind_and_specks_before_the_hand():
    depth_mm = np.full((480, 640), 1100, np.float32)
    paint_box(depth_mm, NYU, (-300, -400, 950), (300, 400, 950))
    paint_box(depth_mm, NYU, (-100, -90, 760), (0, 90, 760))
    depth_mm[5:8, 600:603] = 400
    found = find_centre(make_frame(NYU, depth_mm), NYU, "com")
    np.testing.assert_allclose(found.centre_mm, [-50, 0, 760], atol=2)


def test_com_keeps_the_hand_of_a_long_arm():
    depth_mm = np.zeros((480, 640), np.float32)
    paint_box(depth_mm, NYU, (-30, 0, 760), (30, 400, 760))
    paint_box(depth_mm, NYU, (-50, -180, 740), (50, 0, 740))
    found = find_centre(make_frame(NYU, depth_mm), NYU, "com")
    assert -120 < found.centre_mm[1] < -20


def test_com_is_at_the_end_of_an_arm_that_is_nearer_than_the_hand():
    # The arm comes in from below at 740 mm, nearer than the hand at its end.
    depth_mm = np.zeros((480, 640), np.float32)
    paint_box(depth_mm, NYU, (-40, -20, 740), (40, 400, 740))
    paint_box(depth_mm, NYU, (-45, -180, 760), (45, -20, 760))
    found = find_centre(make_frame(NYU, depth_mm), NYU, "com")
    assert -120 < found.centre_mm[1] < -20


def test_com_is_at_the_end_of_an_arm_that_leads_back_to_a_body():
    # Depth grows along the arm from 700 mm at the hand to 1100 mm at the body, 6 mm a column.
    depth_mm = np.zeros((480, 640), np.float32)
    depth_mm[200:290, 100:220] = 700
    depth_mm[220:270, 220:287] = 700 + 6 * np.arange(67)
    depth_mm[50:430, 287:500] = 1100
    found = find_centre(make_frame(NYU, depth_mm), NYU, "com")
    u = found.centre_mm[0] / found.centre_mm[2] * NYU.camera.fx + NYU.camera.cx
    assert 145 < u < 195


def test_com_of_a_small_fist_in_an_msra_box():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, MSRA, (100, -60, 450), (155, -10, 450))
    found = find_centre(make_frame(MSRA, depth_mm, subject="P8"), MSRA, "com")
    np.testing.assert_allclose(found.centre_mm, [127.5, -35, 450], atol=2)


def test_com_never_looks_at_labels():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, ICVL, (-40, -30, 400), (60, 70, 400))
    with_labels = find_centre(make_frame(ICVL, depth_mm, labels_of(ICVL)), ICVL, "com")
    np.testing.assert_array_equal(with_labels.centre_mm, find_centre(make_frame(ICVL, depth_mm), ICVL, "com").centre_mm)


def test_com_of_the_real_frame_is_on_the_hand(shared):
    image = cv2.imread(str(shared / "real/nyu/depth_1_0000001.png"))
    depth_mm = image[..., 1].astype(np.float32) * 256 + image[..., 0]
    depth_mm[depth_mm >= 2001] = 0
    labels_uvd = np.loadtxt(shared / "real/nyu/joint_1_uvd_first_frame.csv", delimiter=",")
    palm_mm = back_project_points(labels_uvd[32], NYU.camera)
    found = find_centre(make_frame(NYU, depth_mm), NYU, "com")
    assert np.linalg.norm(found.centre_mm - palm_mm) < 40


@pytest.mark.parametrize(
    ("word", "uses_labels"), [("joint", True), ("joint-PALM_5", True), ("block", True), ("com", False), ("seen", False)]
)
def test_each_strategy_says_whether_it_uses_labels(word, uses_labels):
    assert choose_strategy(word, NYU).uses_ground_truth is uses_labels


@pytest.mark.parametrize("word", ["", "mass", "joint-", "joint-PALM_9", "PALM_5", "tips"])
def test_an_unknown_word_is_refused(word):
    with pytest.raises(BadInput, match=r"joint, com, com-MM, block, seen or joint-NAME.*PALM_6"):
        choose_strategy(word, NYU)


def test_trap_46_missing_joint_falls_back_to_the_others():
    labels_mm = labels_of(NYU)
    labels_mm[32] = np.nan
    found = find_centre(make_frame(NYU, joints_mm=labels_mm), NYU, "joint")
    np.testing.assert_allclose(
        found.centre_mm, np.delete(labels_mm[list(NYU.scored)], 13, axis=0).mean(axis=0), rtol=1e-6
    )
    assert found.fallback == "PALM_3 is not annotated: mean of the annotated scored joints"


def test_trap_46_joint_at_zero_depth_falls_back_too():
    labels_mm = labels_of(ICVL)
    labels_mm[0] = 0
    assert find_centre(make_frame(ICVL, joints_mm=labels_mm), ICVL, "joint").fallback.startswith(
        "palm is not annotated"
    )


@pytest.mark.parametrize("word", ["joint", "block"])
def test_trap_46_without_labels_the_depth_decides(word):
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, ICVL, (-40, -30, 400), (60, 70, 400))
    found = find_centre(make_frame(ICVL, depth_mm), ICVL, word)
    np.testing.assert_allclose(found.centre_mm, [10, 20, 400], atol=2)
    assert found.fallback.endswith("centre of mass")


@pytest.mark.parametrize("word", ["joint", "com", "block"])
def test_trap_46_an_empty_frame_has_a_centre_and_says_so(word):
    found = find_centre(make_frame(ICVL), ICVL, word)
    np.testing.assert_array_equal(found.centre_mm, [0, 0, 500])
    assert "on the optical axis" in found.fallback


def test_a_strategy_of_ones_own_is_one_object():
    localizer = CentreStrategy("localizer", False, lambda frame, convention: Centre(np.float32([1, 2, 3]), 250.0))
    assert find_centre(make_frame(NYU), replace(NYU), localizer).cube_mm == 250.0


def test_a_cube_of_one_edge_for_every_dataset():
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, DEXTER, (-30, -40, 450), (40, 50, 450))
    plain, larger = (find_centre(make_frame(DEXTER, depth_mm), DEXTER, word) for word in ("com", "com-400"))
    assert (plain.cube_mm, larger.cube_mm) == (300.0, 400.0)
    np.testing.assert_allclose(larger.centre_mm, plain.centre_mm, atol=1e-3)
    assert not choose_strategy("com-400", DEXTER).uses_ground_truth
    with pytest.raises(BadInput, match="com-MM"):
        choose_strategy("com-4", DEXTER)


@pytest.mark.parametrize(("behind_mm", "together"), [(60.0, True), (150.0, False)])
def test_hand_and_object_apart_are_one_mass(behind_mm, together):
    """Two squares of 80 mm side by side, 50 mm of nothing between them; a hand alone never takes the second."""
    depth_mm = np.zeros((240, 320), np.float32)
    paint_box(depth_mm, HANDOBJECT, (-100, -40, 450), (-20, 40, 450))
    paint_box(depth_mm, HANDOBJECT, (30, -40, 450 + behind_mm), (110, 40, 450 + behind_mm))
    found = find_centre(make_frame(HANDOBJECT, depth_mm), HANDOBJECT, "com")
    assert found.cube_mm == 400.0
    alone = find_centre(make_frame(MSRA, depth_mm), MSRA, "com-400")
    assert abs(alone.centre_mm[0] + 60) < 3
    # As many square millimetres, but fewer pixels of what is farther away.
    share = 450**2 / (450**2 + (450 + behind_mm) ** 2) if together else 0.0
    np.testing.assert_allclose(found.centre_mm[0], -60 + 130 * share, atol=3)
