import numpy as np
import pytest

from handbench.conventions import DATASETS, DEXTER_SEQUENCES, ICVL_SESSIONS, MSRA_GESTURES, MSRA_SUBJECTS
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import sample_poses, share_frames
from handbench.errors import BadInput

SMALL = {
    "nyu": {"train": 1203, "test": 97},
    "icvl": {"train": 401, "test": 50},
    "msra": {"all": 1000},
    "msra14": {"all": 121},
    "dexter": {"test": 100},
}


@pytest.mark.parametrize("dataset", SMALL)
def test_counts_add_up_exactly(dataset):
    for frames in (SMALL[dataset], DATASETS[dataset].frames):
        takes = plan_recordings(dataset, frames, 0)
        assert all(take.frames > 0 for take in takes)
        assert {split: sum(t.frames for t in takes if t.split == split) for split in frames} == frames
        assert [t.split for t in takes] == sorted((t.split for t in takes), key=DATASETS[dataset].splits.index)


def test_shares_by_hand():
    assert share_frames(10, [1, 1, 2]) == [2, 3, 5]
    assert share_frames(0, [1, 2]) == [0, 0]
    assert share_frames(1, [1, 1, 1]) == [0, 1, 0]
    assert sum(share_frames(1001, (3, 7, 11, 13))) == 1001


def test_nyu_people_as_in_the_release():
    """One person trains; of 8,252 test frames the second person has the last 5,812, in two sizes."""
    takes = [t for t in plan_recordings("nyu", {"train": 1500, "test": 8252}, 0) if t.split == "test"]
    assert [(t.subject, t.frames) for t in takes] == [("test_1", 2440), ("test_2", 696), ("test_2", 5116)]
    palm = [t.shape.palm_stretch[1] for t in takes]
    assert palm == pytest.approx([1.0, 0.868, 0.828])
    train = [t for t in plan_recordings("nyu", {"train": 1500, "test": 1}, 0) if t.split == "train"]
    assert [t.frames for t in train] == [500, 500, 500]
    assert {t.subject for t in train} == {"train"}


def test_icvl_sessions_and_sequences_as_in_the_release():
    takes = plan_recordings("icvl", DATASETS["icvl"].frames, 0)
    assert [t.sequence for t in takes] == [*ICVL_SESSIONS, "test_seq_1", "test_seq_2"]
    assert [t.frames for t in takes[:2]] == [2677, 885]
    assert [t.frames for t in takes[-2:]] == [702, 894]
    people = {t.shape.lengths_mm.tobytes() for t in takes[:12]}
    assert len(people) == 10


def test_msra_people_and_gestures_in_folder_order():
    takes = plan_recordings("msra", {"all": 153}, 0)
    assert [t.sequence for t in takes] == [
        f"{person}/{gesture}" for person in MSRA_SUBJECTS for gesture in MSRA_GESTURES
    ]
    assert all(t.gesture == t.sequence.split("/")[1] for t in takes)
    lengths = [t.shape.lengths_mm[2].sum() for t in takes if t.gesture == "5"]
    # The protocol's cubes shrink from P0 to P8, and the hands with them.
    assert (np.diff(lengths) < 1e-9).all()
    assert lengths[8] / lengths[0] == pytest.approx((150 / 200) ** 0.8)


def test_msra14_and_dexter_sequences():
    assert [t.sequence for t in plan_recordings("msra14", {"all": 12}, 0)] == [f"Subject{i}" for i in range(1, 7)]
    takes = plan_recordings("dexter", {"test": 12}, 0)
    assert [t.sequence for t in takes] == list(DEXTER_SEQUENCES)
    assert {t.subject for t in takes} == {"actor_1", "actor_2"}


@pytest.mark.parametrize("dataset", SMALL)
def test_a_seed_changes_what_people_do_and_not_who_they_are(dataset):
    first, second = (plan_recordings(dataset, SMALL[dataset], seed) for seed in (0, 1))
    for a, b in zip(first, second, strict=True):
        assert a.stream != b.stream
        assert (a.shape.lengths_mm == b.shape.lengths_mm).all()
        assert (a.subject, a.sequence, a.frames) == (b.subject, b.sequence, b.frames)
    assert not np.array_equal(sample_poses(first[0]), sample_poses(second[0]))
    assert np.array_equal(sample_poses(first[0]), sample_poses(plan_recordings(dataset, SMALL[dataset], 0)[0]))


@pytest.mark.parametrize("dataset", SMALL)
def test_no_two_takes_share_random_numbers(dataset):
    streams = [take.stream for take in plan_recordings(dataset, SMALL[dataset], 0)]
    assert len(set(streams)) == len(streams)


def test_a_longer_take_or_split_leaves_the_others_as_they_are():
    def poses_of_test(train: int) -> list[np.ndarray]:
        takes = plan_recordings("nyu", {"train": train, "test": 60}, 0)
        return [sample_poses(take) for take in takes if take.split == "test"]

    for short, long in zip(poses_of_test(10), poses_of_test(1700), strict=True):
        assert np.array_equal(short, long)
    few, many = (plan_recordings("nyu", {"train": count, "test": 0}, 0) for count in (500, 1400))
    assert np.array_equal(sample_poses(few[0]), sample_poses(many[0]))


@pytest.mark.parametrize(
    ("dataset", "frames", "found"),
    [
        ("nyu", {"train": 5}, "train"),
        ("nyu", {"train": 5, "test": 5, "val": 5}, "test, train, val"),
        ("msra", {"train": 5}, "train"),
        ("icvl", {}, "none"),
        ("nyu", {"train": 0, "test": 0}, "train=0, test=0"),
        ("nyu", {"train": -1, "test": 5}, "train=-1, test=5"),
    ],
)
def test_wrong_splits_and_counts_are_one_clear_line(dataset, frames, found):
    with pytest.raises(BadInput) as refusal:
        plan_recordings(dataset, frames, 0)
    assert refusal.value.where == f"frames of {dataset}"
    assert refusal.value.found == found


def test_a_split_may_stay_empty():
    takes = plan_recordings("icvl", {"train": 0, "test": 4}, 0)
    assert [(t.split, t.frames) for t in takes] == [("test", 2), ("test", 2)]


def test_a_stride_keeps_each_nth_frame_of_a_longer_recording() -> None:
    """The hand goes as far between kept frames as it goes in so many, and few frames show more poses."""
    near, far = (plan_recordings("nyu", {"train": 300, "test": 1}, 0, {"train": stride})[0] for stride in (1, 10))
    assert (near.frames, far.frames) == (300, 300)
    assert (near.stride, far.stride) == (1, 10)
    steps = [np.abs(np.diff(sample_poses(take)[:, 3:6], axis=0)).sum(axis=1) for take in (near, far)]
    assert np.median(steps[1]) > 3 * np.median(steps[0])
    spread = [sample_poses(take)[:, 6:].std(axis=0).mean() for take in (near, far)]
    assert spread[1] > spread[0]


def test_a_stride_of_one_split_leaves_the_other_as_it_is() -> None:
    plain, strided = (plan_recordings("nyu", {"train": 20, "test": 30}, 0, stride) for stride in ({}, {"train": 5}))
    assert np.array_equal(sample_poses(plain[-1]), sample_poses(strided[-1]))
    assert not np.array_equal(sample_poses(plain[0]), sample_poses(strided[0]))


def test_a_stride_of_a_split_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="stride of nyu: expected train and test, found all"):
        plan_recordings("nyu", {"train": 2, "test": 2}, 0, {"all": 2})
