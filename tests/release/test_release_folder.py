"""`make release`: from the results of a run to a folder that another machine can fetch from."""

import shutil
from pathlib import Path

from handbench.release.manifest import read_manifest
from handbench.release.verify import verify_models
from tests.howto.howto_page import set_up
from tests.release.models_packed import Packed


def test_what_a_run_has_trained_goes_to_a_machine_without_training(packed: Packed, tmp_path: Path) -> None:
    reader = set_up(tmp_path / "handbench")
    shutil.copytree(packed.run, reader.root / "results" / "demo-real")
    made = reader.run("make release RUN=results/demo-real")
    assert made.returncode == 0, made.stdout
    release = reader.root / "results" / "release"
    names = ["localizer-icvl", "loop-icvl", "predictor-icvl"]
    assert sorted(read_manifest(release / "manifest.json")) == names
    assert [one.fault for one in verify_models(release)] == [None] * 3
    assert made.stdout.count(": sound, points within ") == 3
    assert "models/" not in "".join(reader.list_changes()), "those of the repository stay as they are"
    # Elsewhere: nothing but the folder, and a frame.
    shutil.rmtree(reader.root / "results" / "demo-real")
    moved = shutil.move(release, tmp_path / "served")
    used = reader.run(
        f"handbench models fetch --from file://{moved} && handbench predict {packed.image} --model loop-icvl --out mine"
    )
    assert used.returncode == 0, used.stdout
    assert "3 fetched, 0 there already" in used.stdout
    assert (reader.root / "mine" / "joints.csv").is_file()


def test_a_run_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Nothing was trained there."""
    reader = set_up(tmp_path / "handbench")
    refused = reader.run("make release RUN=results/nowhere")
    assert refused.returncode != 0
    assert "handbench: results/nowhere: expected a folder such as results/demo-embedded" in refused.stdout
