"""The models that are part of the repository: whole, small enough, and as good as their cards say."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from handbench.cli import main
from handbench.conventions import NYU
from handbench.geometry.camera import back_project_points
from handbench.release.card import render_card
from handbench.release.look import measure_real, read_real_frame
from handbench.release.manifest import count_bytes, read_manifest
from handbench.release.verify import verify_models
from handbench.training import handed_on
from handbench.training.handed_on import REPOSITORY, load_handed_on, read_model_card
from tests.release.commands import refuse
from tests.workflow.checkout import copy_checkout

MOST_BYTES = 40_000_000
LOCALIZER = "feedback19_localizer"
START = "refine_base"
"""What `handbench refine` adapts; learned from rendered hands, and not meant for frames as they are."""
KINDS = {
    LOCALIZER: "feedback19.localizer",
    "feedback15": "feedback_loop",
    "deepmodel": "deepmodel.hand",
    "crossing": "crossing.estimator",
    "refine_base": "refine.base",
}


def test_all_are_sound() -> None:
    verdicts = verify_models(REPOSITORY)
    assert {one.folder.name: one.fault for one in verdicts} == dict.fromkeys(sorted(KINDS))


def test_they_are_those_that_were_promised_and_small() -> None:
    manifest = read_manifest(REPOSITORY / "manifest.json")
    assert {name: entry["kind"] for name, entry in manifest.items()} == KINDS
    assert sum(map(count_bytes, manifest.values())) < MOST_BYTES
    assert sum(path.stat().st_size for path in REPOSITORY.rglob("*") if path.is_file()) < MOST_BYTES


def test_the_page_tells_of_each() -> None:
    """And of their number, which its prose says in words."""
    page = (REPOSITORY.parent / "docs" / "models.md").read_text()
    table = page.partition("## Part of the repository")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KINDS)
    number = ("none", "one", "two", "three", "four", "five", "six", "seven")[len(KINDS)]
    assert f"The repository holds {number} models" in page


@pytest.mark.parametrize("name", KINDS)
def test_their_cards_are_complete(name: str) -> None:
    card = read_model_card(REPOSITORY / name)
    assert card["citation"]
    assert card["commit"]
    assert card["command"]
    assert card["inputs"] in (REPOSITORY / name / "card.md").read_text()
    assert card["data"]["source"] == "embedded"
    assert card["data"]["licence"].startswith("MIT")
    if name != START:
        assert card["real_frame"]["found_mm"] > 0
    for precision in ("float32", "float16"):
        low, high = card["error"][precision]["interval_mm"]
        assert low < card["error"][precision]["mean_mm"] < high
    # Half a millimetre would be more than seeds differ by.
    assert abs(card["error"]["float16_less_float32"]["mean_mm"]) < 0.05
    assert str(Path.home()) not in json.dumps(card)
    assert "/tmp" not in json.dumps(card)


@pytest.mark.parametrize("name", [name for name in KINDS if name != START])
def test_the_real_frame_gives_the_error_on_the_card(name: str, shared: Path) -> None:
    real = read_real_frame(shared / "real/nyu/depth_1_0000001.png", shared / "real/nyu/joint_1_uvd_first_frame.csv")
    found = measure_real(load_handed_on(REPOSITORY / name), real, None)
    told = read_model_card(REPOSITORY / name)["real_frame"]
    assert found is not None
    assert found == pytest.approx({key: value for key, value in told.items() if key in found}, abs=0.05)


def test_a_fresh_machine_predicts_without_training(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line of the README, by hand: from the file that it writes to the error on the card."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    frame = shared / "real/nyu/depth_1_0000001.png"
    assert main(["predict", "--model", "feedback15", str(frame), "--out", "mine", "--no-pictures"]) == 0
    assert f"feedback15: taken from {handed_on.REPOSITORY / 'feedback15'}" in capsys.readouterr().out
    last = json.loads((tmp_path / "mine" / "joints.json").read_text())["frames"][0]["iterations"][-1]["joints"]
    joints_mm = np.array([joint["xyz"] for joint in last.values()])
    uvd = np.loadtxt(shared / "real/nyu/joint_1_uvd_first_frame.csv", delimiter=",")[list(NYU.scored)]
    off_mm = np.linalg.norm(joints_mm - back_project_points(uvd, NYU.camera), axis=1).mean()
    told = read_model_card(REPOSITORY / "feedback15")["real_frame"]["found_mm"]
    assert off_mm == pytest.approx(told, abs=0.1)
    assert off_mm < 25


def test_what_is_printed_names_the_model_as_it_was_named(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the module that was packed under this name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert read_model_card(REPOSITORY / "crossing")["checkpoint"]["module"] == "crossing_2"
    frame = shared / "real/nyu/depth_1_0000001.png"
    again = Path(shutil.copy(frame, tmp_path / "again.png"))
    commands = (
        ["predict", "--model", "crossing", str(frame), "--no-pictures", "--out", "mine"],
        ["walk", "crossing", "--frames", str(frame), str(again), "--out", "walked"],
    )
    for words in commands:
        assert main(words) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("crossing: ")
    assert json.loads((tmp_path / "mine" / "joints.json").read_text())["model"] == "crossing"
    assert "model: crossing, trained on nyu" in (tmp_path / "walked" / "walk.csv").read_text()


@pytest.mark.parametrize("name", [name for name in KINDS if name != LOCALIZER])
def test_none_is_led_by_the_localizer(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None has learned from localized crops; a localizer that is not used must not be passed over."""
    models = ["--model", REPOSITORY / name, "--localizer", REPOSITORY / LOCALIZER]
    told = refuse(capsys, "predict", *models, tmp_path / "frame.png", "--out", tmp_path / "out")
    assert f"models/{name}: expected a model of localized-" in told
    assert told.endswith("; leave --localizer out\n")


@pytest.mark.parametrize("name", KINDS)
def test_the_workflow_knows_how_to_make_what_they_learned_from(name: str, tmp_path: Path) -> None:
    """Crops first, and whatever the training commands of the card name besides."""
    card = read_model_card(REPOSITORY / name)
    program, *words = shlex.split(card["inputs"])
    assert program == "snakemake"
    planned = copy_checkout(tmp_path).snakemake(*words, "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    made = "render" if name == START else "synthesize"
    assert re.search(rf"^{made} +1$", planned.stdout + planned.stderr, re.MULTILINE)
    read = [word for line in card["again"] for word in shlex.split(line) if word.startswith("results/")]
    assert {str(Path(word).parent) for word in words if word.startswith("results/")} == set(read)


def test_a_card_says_how_few_labels_there_were_and_what_training_remarked() -> None:
    for name, lines in (("crossing", 1), ("deepmodel", 0)):
        text = (REPOSITORY / name / "card.md").read_text()
        assert text.count("| labels | of 2 % of the frames that it learned from |") == lines
        assert "remarked in training" not in text
    card = json.loads((REPOSITORY / "crossing/card.json").read_text())
    card["checkpoint"]["remarks"] = ["the drawing of images has collapsed", "and more"]
    assert "| remarked in training | the drawing of images has collapsed; and more |" in render_card(card)
