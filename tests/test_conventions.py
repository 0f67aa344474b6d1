import pytest

from handbench.conventions import (
    DATASETS,
    DEXTER,
    HANDOBJECT,
    ICVL,
    ICVL_LINES,
    ICVL_SESSION_LINES,
    ICVL_SESSIONS,
    ICVL_TEST_FRAMES,
    MSRA,
    MSRA14_SUBJECT_SCALE,
    MSRA_GESTURES,
    MSRA_RELEASES,
    MSRA_SUBJECTS,
    NYU,
    NYU_CONV_JOINT_NAMES,
    NYU_JOINTS,
    NYU_LABEL_CAMERA,
    NYU_SCORED,
    NYU_SCORED_JOINTS,
    RECORDED,
    RENDERED,
    Camera,
)
from handbench.datasets.msra_bad_frames import MSRA_BAD_FRAMES


@pytest.mark.parametrize(
    ("dataset", "joints", "scored"),
    [
        ("nyu", 36, 14),
        ("icvl", 16, 16),
        ("msra", 21, 21),
        ("msra14", 21, 21),
        ("dexter", 8, 5),
        ("handobject", 29, 29),
        ("hands", 21, 21),
    ],
)
def test_counts(dataset, joints, scored):
    convention = DATASETS[dataset]
    assert len(convention.joints.names) == len(set(convention.joints.names)) == len(convention.joints.parts) == joints
    assert len(convention.scored) == len(set(convention.scored)) == scored
    assert all(0 <= joint < joints for joint in convention.scored)


def test_nyu_scored_joints_by_name():
    """The order of every published result file (datasets.md, section 1.2)."""
    assert NYU_SCORED == (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
    assert NYU_SCORED_JOINTS.names == (
        ("F1_KNU3_A", "F1_KNU2_B", "F2_KNU3_A", "F2_KNU2_B", "F3_KNU3_A", "F3_KNU2_B", "F4_KNU3_A", "F4_KNU2_B")
        + ("TH_KNU3_A", "TH_KNU3_B", "TH_KNU2_B", "PALM_1", "PALM_2", "PALM_3")
    )
    assert NYU_SCORED_JOINTS.parts[::2] == ("little", "ring", "middle", "index", "thumb", "thumb", "palm")


def test_nyu_names_in_file_order():
    assert NYU_JOINTS.names[24] == "TH_KNU3_A"
    assert NYU_JOINTS.names[29] == "TH_KNU1_B"
    assert NYU_JOINTS.names[30:] == tuple(f"PALM_{i}" for i in range(1, 7))
    assert (NYU.joints.index("PALM_3"), NYU.joints.index("PALM_5")) == (32, 34)


def test_conv_order_is_a_permutation_of_the_scored_joints_palm_first():
    assert sorted(NYU_CONV_JOINT_NAMES) == sorted(NYU_SCORED_JOINTS.names)
    assert NYU_CONV_JOINT_NAMES[0] == "PALM_3"
    assert NYU_SCORED_JOINTS.names != NYU_CONV_JOINT_NAMES


@pytest.mark.parametrize(
    "joints", [NYU_SCORED_JOINTS, *(c.joints for c in DATASETS.values())], ids=["nyu-scored", *DATASETS]
)
def test_edges_connect_joints_that_exist_without_circles(joints):
    reached = list(range(len(joints.names)))

    def root(joint: int) -> int:
        return joint if reached[joint] == joint else root(reached[joint])

    for a, b in joints.edges:
        assert 0 <= a < len(joints.names)
        assert 0 <= b < len(joints.names)
        if joints.parts[a] == "object" and len(joints.names) == 29:
            continue  # the edges of a box run in circles
        assert root(a) != root(b)
        reached[root(a)] = root(b)


@pytest.mark.parametrize("dataset", ["nyu", "icvl", "msra", "msra14"])
def test_a_drawn_skeleton_is_in_one_piece(dataset):
    joints = DATASETS[dataset].joints
    assert len(joints.edges) == len(joints.names) - 1


def test_msra_order_is_wrist_index_to_little_thumb():
    assert MSRA.joints.names[0] == "wrist"
    assert MSRA.joints.parts[1::4] == ("index", "middle", "ring", "little", "thumb")
    assert MSRA.joints.names[5:9] == ("middle_mcp", "middle_pip", "middle_dip", "middle_tip")


def test_cameras():
    assert NYU.camera == Camera(588.03, 587.07, 320.0, 240.0, 640, 480)
    assert Camera(587.075, 587.075, 320.0, 240.0, 640, 480) == NYU_LABEL_CAMERA
    assert ICVL.camera == Camera(240.99, 240.96, 160.0, 120.0, 320, 240)
    assert MSRA.camera == DATASETS["msra14"].camera == Camera(241.42, 241.42, 160.0, 120.0, 320, 240)
    assert DEXTER.camera == Camera(224.502, 230.494, 160.0, 120.0, 320, 240)


def test_cubes():
    assert (NYU.cube_of("test_1"), NYU.cube_of("test_2"), NYU.cube_of("train")) == (300, 250, 300)
    assert ICVL.cube_of("anyone") == 250
    assert [MSRA.cube_of(f"P{i}") for i in range(9)] == [200, 200, 200, 180, 180, 180, 170, 160, 150]


def test_frames_of_the_releases():
    assert NYU.frames == {"train": 72757, "test": 8252}
    assert ICVL.frames["test"] == sum(ICVL_TEST_FRAMES.values()) == 1596
    assert ICVL.frames["train"] == sum(ICVL_SESSION_LINES) == 22068
    assert len(ICVL_SESSIONS) == len(ICVL_SESSION_LINES) == 12
    assert ICVL_LINES == 331006
    assert {int(name): sum(counts) for name, counts in MSRA_RELEASES.items()} == {76375: 76375, 76391: 76391}
    assert len(MSRA_SUBJECTS) == 9
    assert len(MSRA_GESTURES) == 17
    assert sum(len(frames) for frames in MSRA_BAD_FRAMES.values()) == 126
    assert all(
        folder.split("/")[0] in MSRA_SUBJECTS and folder.split("/")[1] in MSRA_GESTURES for folder in MSRA_BAD_FRAMES
    )
    assert len(MSRA14_SUBJECT_SCALE) == 6


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_centre_joint_exists(dataset):
    convention = DATASETS[dataset]
    assert convention.centre_joint in convention.joints.names or convention.centre_joint == "tips"
    # What is rendered here has as many frames as the config says.
    assert set(convention.frames) == (set() if dataset in RENDERED else set(convention.splits))


def test_rendered_hands_have_msras_joints_and_a_boxs_corners():
    assert HANDOBJECT.joints.names[:21] == MSRA.joints.names
    assert HANDOBJECT.joints.names[21:] == (
        ("corner_000", "corner_001", "corner_010", "corner_011")
        + ("corner_100", "corner_101", "corner_110", "corner_111")
    )
    assert HANDOBJECT.camera == MSRA.camera
    assert HANDOBJECT.cube_of("anyone") == 400
    edges = HANDOBJECT.joints.edges[len(MSRA.joints.edges) :]
    assert len(edges) == 12
    # An edge of a box joins two corners that differ in one of i, j and k.
    names = HANDOBJECT.joints.names
    assert all(sum(x != y for x, y in zip(names[a], names[b], strict=True)) == 1 for a, b in edges)


def test_recorded_sets_come_first_in_their_old_order():
    """Seeds of the embedded sets and words in checkpoints count on it."""
    assert list(RECORDED) == ["nyu", "icvl", "msra", "msra14", "dexter"]
    assert list(DATASETS)[: len(RECORDED)] == list(RECORDED)


def test_deepmodel_learns_from_31_joints_of_nyu_and_from_all_scored_ones_elsewhere() -> None:
    """The authors' program leaves out two of the thumb's, PALM_4, PALM_5 (its crops' centre) and PALM_6."""
    assert NYU.learned[:14] == NYU.scored
    assert len(set(NYU.learned)) == 31
    left_out = {name for place, name in enumerate(NYU.joints.names) if place not in NYU.learned}
    assert left_out == {"TH_KNU2_A", "TH_KNU1_B", "PALM_4", "PALM_5", "PALM_6"}
    assert all(one.learned == one.scored for one in DATASETS.values() if one is not NYU)
