"""The published record, measured anew: the numbers that everyone quotes, to 0.001 mm."""

from pathlib import Path

import pytest

from handbench.evaluation.published import Record, find_record

# Key: frames, mean mm, share of frames with all joints within 20 mm and within 40 mm.
KNOWN = {
    "nyu/deepprior": (8252, 20.750, 0.163, 0.492),
    "nyu/deepprior-refinement": (8252, 19.726, 0.237, 0.520),
    "nyu/deepmodel": (8252, 17.036, 0.190, 0.582),
    "nyu/feedback": (8252, 15.973, 0.189, 0.659),
    "nyu/lie-x": (8252, 14.507, 0.318, 0.744),
    "nyu/3dcnn": (8252, 14.113, 0.336, 0.755),
    "nyu/ren-4x6x6": (8252, 13.393, 0.429, 0.807),
    "nyu/deepprior++": (8252, 12.238, 0.447, 0.835),
    "nyu/pose-ren": (8252, 11.811, 0.487, 0.798),
    "nyu/generalized-feedback": (8252, 10.894, 0.448, 0.870),
    "icvl/lrf": (1596, 12.578, 0.207, 0.709),
    "icvl/deepmodel": (1596, 11.561, 0.499, 0.840),
    "icvl/ren-4x6x6": (1596, 7.628, 0.691, 0.957),
    "icvl/deepprior": (702, 10.427, None, None),
    "icvl/deepprior-refinement": (702, 9.426, None, None),
}


@pytest.fixture(scope="module")
def record(shared: Path) -> Record:
    return Record(shared / "published")


@pytest.mark.parametrize("dataset", ["nyu", "icvl"])
def test_the_recomputed_numbers(dataset: str, record: Record) -> None:
    truth = record.read_truth(dataset)
    keys = [key for key in KNOWN if key.startswith(f"{dataset}/")]
    assert sorted(entry.key for entry in record.list_entries(dataset)) == sorted(keys)
    for key in keys:
        frames, mean_mm, within_20, within_40 = KNOWN[key]
        score = record.score(key, truth).score
        assert score.frames == frames, key
        assert score.mean_error_mm == pytest.approx(mean_mm, abs=0.0006), key
        assert score.missing == 0
        assert score.interval.low < score.mean_error_mm < score.interval.high
        if within_20 is not None:
            assert (score.within(20), score.within(40)) == pytest.approx((within_20, within_40), abs=0.0006), key


def test_the_persons_of_nyu_differ(record: Record) -> None:
    """DeepPrior++ errs 6.930 mm on the first person of the test set and 14.467 mm on the second."""
    truth = record.read_truth("nyu")
    errors_mm = record.score("nyu/deepprior++", truth).score.errors_mm
    assert errors_mm[:2440].mean() == pytest.approx(6.930, abs=0.0006)
    assert errors_mm[2440:].mean() == pytest.approx(14.467, abs=0.0006)
    assert truth.sequences[2439:2441] == ("test_1", "test_2")


def test_the_frames_are_named(record: Record) -> None:
    assert record.read_truth("nyu").names[0] == "test/depth_1_0000001.png"
    assert record.read_truth("icvl").names[702] == "test_seq_2/image_0000.png"


def test_a_record_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert find_record(tmp_path) is None
    for place in ("download/published/raw", "demo-real/download/published/raw"):
        (tmp_path / place).mkdir(parents=True)
    assert find_record(tmp_path) == Record(tmp_path / "download/published/raw")
