"""The smoke pipeline with the real stages. What becomes of runs that are killed is tried in tests/trust."""

import shutil
import tarfile
from pathlib import Path

import pytest
from checkout import ROOT, SMOKE_RUN, Checkout, copy_checkout

from handbench.config import load_config
from handbench.conventions import DATASETS
from handbench.datasets.store import open_store
from handbench.evaluation.results import read_results
from handbench.evaluation.tracked import read_tracked_results
from handbench.modules import KINDS

SMOKE = ("--configfile", "config/smoke.yaml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The smoke pipeline, run once and never interrupted."""
    checkout = copy_checkout(tmp_path_factory.mktemp("whole"))
    done = checkout.snakemake(*SMOKE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The drawing of images has collapsed in" in done.stderr, "so few steps teach no generator; a run says it"
    return checkout


@pytest.mark.slow
def test_every_store_opens_and_holds_the_frames_that_were_asked_for(whole: Checkout) -> None:
    config = load_config([ROOT / "config.yaml", ROOT / "config" / "smoke.yaml"])
    for dataset in config.use:
        for centre in config.datasets[dataset].centres:
            for split in DATASETS[dataset].splits:
                store = open_store(whole.root / SMOKE_RUN / "crop" / dataset / centre / split)
                assert len(store) == config.datasets[dataset].frames[split]
                assert store.depth.shape[1:] == (config.crop.size_px, config.crop.size_px)


@pytest.mark.slow
def test_every_split_has_its_picture_log_and_timing(whole: Checkout) -> None:
    run = whole.root / SMOKE_RUN
    config = load_config([ROOT / "config.yaml", ROOT / "config" / "smoke.yaml"])
    sheets = list(run.glob("show/*/*.png"))
    assert all(sheet.read_bytes().startswith(b"\x89PNG") for sheet in sheets)
    asked = {(dataset, split) for dataset in config.use for split in DATASETS[dataset].splits}
    rendered = {("handobject", "train"), ("hands", "train")}
    assert {(sheet.parent.name, sheet.stem) for sheet in sheets} == asked | rendered
    logs, timings = (
        {path.relative_to(run / room).with_suffix("") for path in (run / room).rglob(f"*{ending}")}
        for room, ending in (("logs", ".log"), ("benchmarks", ".tsv"))
    )
    assert logs == timings
    assert {path.parts[0] for path in logs} >= {"synthesize", "crop", "fit", "train", "predict", "evaluate", "probe"}


@pytest.mark.slow
def test_every_module_is_evaluated_and_reported(whole: Checkout) -> None:
    results = read_results(whole.root / SMOKE_RUN)
    config = load_config([ROOT / "config.yaml", ROOT / "config" / "smoke.yaml"])
    asked = {
        (dataset, name)
        for name, module in config.modules.items()
        if KINDS[module.kind].predicts
        for dataset in module.datasets
    }
    assert {(one.dataset, one.module) for one in results} == asked
    frames = {(one.dataset, one.module): one.frames for one in results}
    assert (frames["icvl", "nn_search"], frames["msra", "nn_search"], frames["nyu", "deepmodel"]) == (12, 153, 12)
    page = (whole.root / "results" / "report" / "index.html").read_text()
    assert "NN search (PCA 512)" in page
    # What the tracking store holds is what the files hold.
    tracked = read_tracked_results(whole.root / SMOKE_RUN)
    for ours, theirs in zip(results, tracked, strict=True):
        assert ours.mean_error_mm == theirs.mean_error_mm
        assert ours.block_sums_mm.tolist() == theirs.block_sums_mm.tolist()


@pytest.mark.slow
def test_a_second_call_has_nothing_to_do(whole: Checkout) -> None:
    assert whole.planned(*SMOKE) == {}


@pytest.mark.slow
def test_a_download_takes_the_same_road_to_the_same_crops(whole: Checkout, tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, whole.root)
    mirror = tmp_path / "a mirror"
    mirror.mkdir()
    for folder in ("Training", "Testing"):
        with tarfile.open(mirror / f"{folder}.tar.gz", "w:gz") as archive:
            archive.add(whole.root / SMOKE_RUN / "synthesize" / "icvl" / "raw" / folder, arcname=folder)
    mine = f"source: real\nuse: [icvl]\ndatasets: {{icvl: {{mirrors: ['{mirror.as_uri()}']}}}}\n"
    (tmp_path / "mine.yaml").write_text(mine)
    words = (*SMOKE, "mine.yaml")
    done = checkout.snakemake(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("depth.npy", "joints.npy", "centre.npy"):
        for split in DATASETS["icvl"].splits:
            place = Path("crop", "icvl", "joint", split, name)
            downloaded = (tmp_path / "results" / "smoke-real" / place).read_bytes()
            assert downloaded == (whole.root / SMOKE_RUN / place).read_bytes()
    # A forced download finds that all is there: the archives are not fetched again.
    shutil.rmtree(mirror)
    assert checkout.snakemake(*words, "--forcerun", "download").returncode == 0
