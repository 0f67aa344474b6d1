"""Models, and results that are to be packed, with damage behind right digests: one line each."""

import json
import shutil
from pathlib import Path

import pytest

from handbench.cli import main
from handbench.datasets.files import digest_file
from handbench.provenance import read_place
from handbench.release.manifest import FILES, read_manifest, write_manifest
from handbench.release.pack import _find_localizer
from handbench.release.trained import Found
from handbench.sealed import seal
from handbench.training.card_layout import Content, Files
from handbench.training.checkpoint import load_checkpoint
from handbench.training.handed_on import CONTENT, read_model_card
from tests.release.commands import refuse, rewrite
from tests.release.models_packed import Packed


def test_the_layouts_know_the_files_of_a_model() -> None:
    assert {field.alias for field in Content.model_fields.values()} == set(CONTENT)
    assert {field.alias for field in Files.model_fields.values()} == set(FILES)


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"mean_error_mm": 3.5}', json.dumps(seal({"mean_error_mm": "x"}))]
)
def test_a_damaged_evaluation_is_one_line(
    packed: Packed, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    run = tmp_path / "results" / "demo-real"
    shutil.copytree(packed.run, run)
    told = run / "evaluate" / "icvl" / "predictor" / "seed0" / "evaluation.json"
    told.parent.mkdir(parents=True)
    told.write_text(content)
    line = refuse(capsys, "models", "pack", "--from", run, "--only", "predictor-icvl", "--out", tmp_path / "models")
    assert "evaluation.json: expected an evaluation of this release, found " in line


def test_the_localizer_of_crops_is_found_among_damaged_cards(packed: Packed) -> None:
    """Its digest stands in the word of their centre."""
    run = packed.run.with_name("claims-real")
    shutil.copytree(packed.run, run)
    for content in ("{", "[]", "{}"):
        other = run / "train" / "icvl" / "a_damaged_one" / f"seed{len(content)}{content == '[]':d}"
        other.mkdir(parents=True)
        (other / "checkpoint.json").write_text(content)
    card = load_checkpoint(packed.find("localizer")).card
    of_crops = {"centre": {"strategy": f"localized-{card['sha256'][:12]}"}}
    found = _find_localizer(Found(run, read_place(packed.find("loop")), packed.find("loop"), of_crops))
    assert found.folder == run / "train" / "icvl" / "localizer" / "seed0"


def test_one_broken_model_leaves_the_others_verified(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in a file whose digest is right."""
    spoilt = copy / "loop-icvl"
    (spoilt / "card.md").write_bytes(b"\xff\xfe")
    files = read_model_card(spoilt)["files"]
    text = {"bytes": 2, "sha256": digest_file(spoilt / "card.md")}
    rewrite(spoilt / "card.json", files=files | {"card.md": text})
    write_manifest(copy)
    rewrite(copy / "localizer-icvl" / "card.json", protocol={})
    models = read_manifest(copy / "manifest.json")
    told = {"bytes": (copy / "localizer-icvl/card.json").stat().st_size}
    told["sha256"] = digest_file(copy / "localizer-icvl" / "card.json")
    models["localizer-icvl"]["files"]["card.json"] = told
    rewrite(copy / "manifest.json", models=models)
    assert main(["models", "verify", "--in", str(copy)]) == 1
    localizer, loop, predictor = capsys.readouterr().out.splitlines()
    assert "localizer-icvl/card.json: expected a card as packing wrote it, found no protocol.dataset" in localizer
    assert "loop-icvl/card.md: expected what card.json says, found another text" in loop
    assert "predictor-icvl: sound, " in predictor


def test_a_list_of_odd_entries_is_one_line(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = json.loads((copy / "manifest.json").read_text())["models"]
    entry = models["loop-icvl"]
    told = entry["error"]["float16"]
    for changes, said in [
        ({"kind": None}, "loop-icvl.kind, which should be a string"),
        ({"kind": "a\nb"}, "loop-icvl.kind: a text of several lines"),
        (
            {"error": entry["error"] | {"float16": told | {"mean_mm": "3"}}},
            "float16.mean_mm, which should be a nu",
        ),
        ({"error": entry["error"] | {"float16": told | {"interval_mm": [1]}}}, "interval_mm, which should be "),
        (
            {"files": {**entry["files"], "../x": entry["files"]["card.md"]}},
            "loop-icvl.files.../x, which nothing here knows",
        ),
    ]:
        rewrite(copy / "manifest.json", models={"loop-icvl": entry | changes})
        assert said in refuse(capsys, "models", "list", "--from", copy), said
    rewrite(copy / "manifest.json", models={"loop-icvl": {key: entry[key] for key in entry if key != "real_frame"}})
    assert "found no loop-icvl.real_frame" in refuse(capsys, "models", "list", "--from", copy)
    rewrite(copy / "manifest.json", models=[])
    assert "found no models by their names" in refuse(capsys, "models", "list", "--from", copy)


def test_a_manifest_that_tells_of_another_model_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = json.loads((copy / "manifest.json").read_text())["models"]
    models["loop-icvl"]["error"]["float16"]["mean_mm"] = 1.0
    rewrite(copy / "manifest.json", models=models)
    assert main(["models", "verify", "--in", str(copy)]) == 1
    assert "loop-icvl/card.json: expected what the manifest lists, found another error" in capsys.readouterr().out
