"""Results, notes and cards behind a right seal that say what no reader here can use: one line, whatever it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handbench.cli import main
from handbench.errors import BadInput
from handbench.evaluation.fits import read_fits
from handbench.evaluation.probes import read_probes
from handbench.evaluation.trainings import read_trainings
from handbench.sealed import SEAL, seal
from handbench.training.checkpoint import CARD, load_checkpoint
from handbench.training.probe_file import FILE
from tests.mutation import result_readers
from tests.mutation.result_readers import EVALUATED, PROBE

GONE = object()
EVALUATION, CALL = f"{EVALUATED}/evaluation.json", "demo-embedded/call.json"
UNKNOWN = r"expected a dataset of this program, found 'toyset'; .*docs/howto/add-a-dataset\.md"


def reseal(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    content.pop(SEAL)
    change(content)
    path.write_text(json.dumps(seal(content)))


def put(*way: str | int, value: object) -> Callable[[dict[str, Any]], object]:
    """Another value in the place of one, or none at all."""

    def change(content: Any) -> None:
        for key in way[:-1]:
            content = content[key]
        if value is GONE:
            del content[way[-1]]
        else:
            content[way[-1]] = value

    return change


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    result_readers.write_evaluation(folder)
    return folder


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        (("dataset",), None, "dataset, which should be a string"),
        (("dataset",), "toyset", UNKNOWN),
        (("run", "module"), None, r"run\.module, which should be a string"),
        (("run", "module"), "../../x", r"run\.module, which should"),
        (("run", "seed"), True, r"run\.seed, which should be an integer"),
        (("run", "protocol", "centre"), GONE, r"no run\.protocol\.centre"),
        (("run", "protocol", "camera", "more"), 1, r"run\.protocol\.camera\.more, which nothing here knows"),
        (("run", "steps"), [{"sum_mm": [1.0]}], "steps of other blocks than the"),
        (("run", "angles"), {}, r"no run\.angles\.angle_error_deg"),
        (("frames",), 1e308, "frames, which should be"),
        (("blocks", "count"), 1e308, r"blocks\.count, which should be"),
        (("blocks", "count", 0), 1e308, r"blocks\.count\.0, which should be"),
        (("blocks", "sequence", 0), GONE, "blocks: .* sums, .* counts, .* sequences"),
        (("curves", "joints", 0), GONE, r"curves\.joints, which should"),
        (("mean_error_mm",), 1e308, "mean_error_mm, which should be less"),
    ],
)
def test_an_evaluation_says_which_entry_is_wrong(evaluated: Path, way, value: object, said: str) -> None:
    whole = (evaluated / EVALUATION).read_text()
    reseal(evaluated / EVALUATION, put(*way, value=value))
    try:
        with pytest.raises(BadInput, match=said):
            result_readers.read_evaluation(evaluated)
    finally:
        (evaluated / EVALUATION).write_text(whole)


@pytest.mark.parametrize(
    ("way", "value"),
    [(("settings",), "x"), (("settings", "seeds"), [None]), (("settings", "modules", "other"), []), (("commit",), 1)],
)
def test_a_note_of_a_call_says_which_entry_is_wrong(evaluated: Path, way: tuple[str, ...], value: object) -> None:
    whole = (evaluated / CALL).read_text()
    reseal(evaluated / CALL, put(*way, value=value))
    try:
        with pytest.raises(BadInput, match=rf"expected the note of a workflow call, found {'.'.join(way)}"):
            result_readers.read_evaluation(evaluated)
    finally:
        (evaluated / CALL).write_text(whole)


def test_a_report_of_a_dataset_that_is_not_known_here_is_one_line(
    evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (evaluated / EVALUATION).read_text()
    reseal(evaluated / EVALUATION, put("dataset", value="toyset"))
    try:
        assert main(["report", str(evaluated / "demo-embedded"), "--out", str(tmp_path / "report")]) == 1
    finally:
        (evaluated / EVALUATION).write_text(whole)
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected a dataset of this program, found 'toyset'; use the checkout that made it, or add" in line


def test_a_checkpoint_of_a_dataset_that_is_not_known_here_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result_readers.write_checkpoint(tmp_path)
    reseal(tmp_path / CARD, put("dataset", value="toyset"))
    assert cv2.imwrite(str(tmp_path / "hand.png"), np.full((24, 32), 480, np.uint16))
    words = ["predict", "--model", str(tmp_path), str(tmp_path / "hand.png"), "--out", str(tmp_path / "out")]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected a dataset of this program, found 'toyset'" in line


@pytest.mark.parametrize("key", ["dataset", "module", "centre"])
def test_a_checkpoint_says_what_its_card_lacks(tmp_path: Path, key: str) -> None:
    result_readers.write_checkpoint(tmp_path)
    reseal(tmp_path / CARD, put(key, value=GONE))
    with pytest.raises(BadInput, match=f"expected the card of a checkpoint, found no {key}"):
        load_checkpoint(tmp_path)


def test_a_part_of_a_dataset_that_is_not_known_here_is_told(tmp_path: Path) -> None:
    result_readers.write_checkpoint(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    reseal(tmp_path / CARD, put("parts", value=[{**card, "dataset": "toyset"}]))
    with pytest.raises(BadInput, match=UNKNOWN):
        load_checkpoint(tmp_path)


def test_probes_fits_and_trainings_of_such_a_dataset_are_told(tmp_path: Path) -> None:
    result_readers.write_probe(tmp_path)
    reseal(tmp_path / PROBE / FILE, put("dataset", value="toyset"))
    with pytest.raises(BadInput, match=UNKNOWN):
        read_probes(tmp_path)
    result_readers.write_fit(tmp_path)
    (tmp_path / "fit/nyu").rename(tmp_path / "fit/toyset")
    with pytest.raises(BadInput, match=UNKNOWN):
        read_fits(tmp_path)
    result_readers.write_checkpoint(tmp_path / "train/toyset/mine/seed0")
    with pytest.raises(BadInput, match=UNKNOWN):
        read_trainings(tmp_path)
