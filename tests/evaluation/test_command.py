"""`handbench evaluate` as a person types it."""

import json
from pathlib import Path

import pytest

from handbench.cli import main


def test_a_row_beside_the_published_methods(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    published = shared / "published"
    mine, other = published / "nyu" / "ICCV15_NYU_Feedback.txt", published / "nyu" / "CVWW15_NYU_Prior.txt"
    words = ["evaluate", str(mine), "nyu", "mine", "--record", str(published), "--against", str(other), "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["mean_error_mm"] == pytest.approx(15.973, abs=0.001)
    assert said["frames"] == 8252
    low, high = said["interval"]
    assert low < said["mean_error_mm"] < high
    assert (tmp_path / "results" / "evaluate" / "nyu").is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--truth", "truth.npz"], "expected the pipeline's predictions of hand and object, or of bones' turns, with"),
        (
            ["--frames", "."],
            "expected NYU's test_predictions.mat with --frames: pixels without depth, found predictions",
        ),
    ],
)
def test_files_that_would_not_be_read_are_refused(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    published = shared / "published"
    (tmp_path / "truth.npz").write_text("no truth")
    given = [words[0], str(tmp_path / words[1])]
    mine = ["evaluate", str(published / "nyu" / "ICCV15_NYU_Feedback.txt"), "nyu", "mine", "--record", str(published)]
    assert main([*mine, *given, "--out", str(tmp_path / "out")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.endswith(f"leave {words[0]} out")
    assert not (tmp_path / "out").exists()


def test_a_file_of_another_dataset_is_one_line_and_status_1(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = shared / "published"
    wrong = published / "icvl" / "IJCAI16_ICVL_DeepModel.txt"
    assert main(["evaluate", str(wrong), "nyu", "mine", "--record", str(published), "--out", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "expected" in lines[0]
