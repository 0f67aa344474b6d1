"""The DAG: what every config asks for, what re-runs and what does not, and how wrong settings are refused."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout

MADE = {
    "render": 1,
    "crop": 17,
    "show": 8,
    "fit": 2,
    "train": 26,
    "predict": 13,
    "evaluate": 13,
    "probe": 6,
    "report": 1,
}
HELD = {"render": 2, "show": 9, "crop": 19, "train": 35, "predict": 14, "evaluate": 14, "probe": 9}
"""With hand and object together, which real data do not tell enough of."""
EMBEDDED = {"synthesize": 5, **MADE, **HELD}
REAL = {"download": 5, **MADE}
CLAIMS = {"crop_localized": 2, "fit": 4, "train": 420, "predict": 261, "evaluate": 261, "probe": 174}
CLAIMS |= {"synthesize": 6, "render": 4, "crop": 25, "show": 13}
PAPER = {**CLAIMS, "train": 1773, "predict": 408, "evaluate": 408, "probe": 183}
"""The recording with the wristband among them, which real data have where a person has one."""
PAPER_REAL = {"crop_localized": 2, "fit": 4, "crop": 19, "train": 1698, "predict": 384, "evaluate": 384, "probe": 147}
"""Three seeds of every module that the config names."""
MINIATURE = {"synthesize": 1, "crop": 2, "show": 2, "fit": 2, "train": 9, "predict": 5, "probe": 3, "evaluate": 5}
MINIATURE |= {"report": 1}
ONE_MODULE = {"train": 1, "predict": 1, "evaluate": 1, "report": 1}
TINY = ("--configfile", "tiny.yaml")


@pytest.mark.parametrize(
    ("overlays", "jobs"),
    [
        ([], EMBEDDED),
        (["smoke"], EMBEDDED),
        (["smoke_miniature"], MINIATURE),
        (["claims"], EMBEDDED | CLAIMS),
        (["paper"], EMBEDDED | PAPER),
        (["real"], REAL),
        (["paper", "real"], REAL | PAPER_REAL),
    ],
    ids=lambda value: "+".join(value) or "default" if isinstance(value, list) else "",
)
def test_every_config_plans_its_jobs(checkout: Checkout, overlays: list[str], jobs: dict[str, int]) -> None:
    files = [f"config/{overlay}.yaml" for overlay in overlays]
    assert checkout.planned(*(["--configfile", *files] if files else [])) == jobs


def test_data_at_hand_are_not_downloaded(checkout: Checkout) -> None:
    (checkout.root / "my icvl").mkdir()
    (checkout.root / "mine.yaml").write_text("source: real\nuse: [icvl]\ndatasets: {icvl: {path: my icvl}}\n")
    assert checkout.planned("--configfile", "mine.yaml") == {"crop": 4, "show": 2, **ONE_MODULE}
    done = checkout.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert "--root 'my icvl' --split test --centre joint" in done.stdout + done.stderr


def test_localized_crops_are_cut_by_the_localizer_of_the_first_seed(checkout: Checkout) -> None:
    (checkout.root / "mine.yaml").write_text(
        "seeds: [3, 1]\nuse: [nyu]\nmodules:\n  feedback19_localizer: {datasets: [nyu]}\n"
        "  feedback19_predictor_localized: {datasets: [nyu]}\n"
    )
    target = "results/demo-embedded/train/nyu/feedback19_predictor_localized/seed1/checkpoint.json"
    done = checkout.snakemake("--dry-run", target, "--configfile", "mine.yaml")
    said = done.stdout + done.stderr
    run = "results/demo-embedded"
    [command] = [line for line in said.splitlines() if "--centre localized" in line]
    assert f"--localizer {run}/train/nyu/feedback19_localizer/seed3 --store {run}/crop/nyu/com/train" in command
    assert f"--store {run}/crop/nyu/localized/train" in said
    assert "feedback19_localizer/seed1" not in said


def test_test_labels_are_fitted_with_the_hand_of_the_training(checkout: Checkout) -> None:
    run = "results/demo-embedded"
    targets = [f"{run}/fit/{dataset}/test/fit.json" for dataset in ("nyu", "icvl")]
    assert checkout.planned(*targets) == {"synthesize": 2, "crop": 4, "fit": 4}
    done = checkout.snakemake("--dry-run", *targets)
    said = done.stdout + done.stderr
    # deepmodel's own crops, of which a dataset without that joint has others.
    for dataset, centre in (("nyu", "joint-PALM_5"), ("icvl", "joint")):
        [command] = [
            line for line in said.splitlines() if f"fit {dataset} --store {run}/crop/{dataset}/{centre}/test" in line
        ]
        assert f"--hand {run}/fit/{dataset}/train --truth {run}/synthesize/{dataset}/truth.npz" in command
    # ICVL is explained by NYU's hand; without NYU it has one of its own.
    [command] = [line for line in said.splitlines() if f"fit icvl --store {run}/crop/icvl/joint/train" in line]
    assert f"--hand {run}/fit/nyu/train" in command
    (checkout.root / "alone.yaml").write_text("use: [icvl]\n")
    alone = checkout.snakemake("--dry-run", targets[1], "--configfile", "alone.yaml")
    assert f"--hand {run}/fit/icvl/train" in alone.stdout
    assert f"--hand {run}/fit/nyu/train" not in alone.stdout
    real = checkout.snakemake(
        "--dry-run", "results/demo-real/fit/nyu/train/fit.json", "--configfile", "config/real.yaml"
    )
    assert "--truth" not in real.stdout + real.stderr


def test_published_labels_are_fitted_where_the_record_is_at_hand(checkout: Checkout) -> None:
    fitted = "results/demo-embedded/fit/nyu/published/fit.json"
    assert checkout.planned(fitted) == {"download": 1, "fit_published": 1}, "who asks for it gets the record too"
    assert "fit_published" not in checkout.planned()
    folder = checkout.root / "results/download/published"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert checkout.planned(fitted) == {"fit_published": 1}
    assert checkout.planned()["fit_published"] == 1
    assert checkout.planned("claims_deepmodel")["fit_published"] == 1
    done = checkout.snakemake("--dry-run", fitted)
    assert "fit nyu --record results/download/published/raw" in done.stdout + done.stderr


def test_the_recording_with_the_wristband_is_made_for_who_asks(checkout: Checkout) -> None:
    plans = []
    for word in ("", ", wristband"):
        (checkout.root / "mine.yaml").write_text(f"use: [icvl{word}]\n")
        plans.append(checkout.planned("--configfile", "mine.yaml"))
    assert plans[0] == plans[1], "no module is there for it"
    run = "results/demo-embedded"
    assert checkout.planned(f"{run}/show/wristband/test.png") == {"synthesize": 1, "show": 1}
    assert checkout.planned(f"{run}/crop/wristband/seen/train/store.json") == {"synthesize": 1, "crop": 1}


@pytest.mark.parametrize("word", ["train", "spheres", "cylinders", "composed"])
def test_hands_with_objects_are_rendered_for_who_asks(checkout: Checkout, word: str) -> None:
    run = "results/demo-embedded"
    made = f"{run}/render/{word}/manifest.json"
    assert checkout.planned(made) == {"synthesize": 2, "render": 1}
    done = checkout.snakemake("--dry-run", made)
    [command] = [line for line in (done.stdout + done.stderr).splitlines() if "handbench render" in line]
    hands = f"--hands msra={run}/synthesize/msra/raw msra14={run}/synthesize/msra14/raw"
    sizes = "semi=2000 full=1000" if word in ("cylinders", "composed") else "semi=4000 full=2000"
    assert f"render {word} {hands} --frames {sizes} --seed 0" in command
    # Each set is cut, and shown, from its own folder.
    for centre in ("com", "com-400", "joint"):
        crops = f"{run}/crop/handobject/{centre}/{word}/store.json"
        assert checkout.planned(crops) == {"synthesize": 2, "render": 1, "crop": 1}
    done = checkout.snakemake("--dry-run", crops)
    assert f"crop handobject --root {run}/render/{word}/raw --split {word} --centre joint" in done.stdout + done.stderr
    assert checkout.planned(f"{run}/show/handobject/{word}.png") == {"synthesize": 2, "render": 1, "show": 1}


@pytest.mark.parametrize(("folds", "probes"), [("[P3]", 2), ("[P0, P3]", 0)])
def test_a_loop_of_2019_is_probed_where_one_subject_of_msra_is_left_out(
    checkout: Checkout, folds: str, probes: int
) -> None:
    """Its synthesizer and the loop itself."""
    asked = f"{{datasets: [msra], folds: {folds}}}"
    modules = ("feedback19_predictor", "feedback19_synthesizer", "feedback19_updater", "feedback19")
    lines = "".join(f"  {module}: {asked}\n" for module in modules)
    (checkout.root / "mine.yaml").write_text(f"use: [msra]\nmodules:\n{lines}")
    jobs = checkout.planned("claims_feedback19", "--configfile", "mine.yaml")
    assert (jobs["train"] > 0, jobs.get("probe", 0)) == (True, probes)


def test_hand_and_object_learn_from_rendered_frames_and_are_tested_on_others(checkout: Checkout) -> None:
    run = "results/demo-embedded"
    done = checkout.snakemake("--dry-run", f"{run}/evaluate/dexter/handobject/seed0/evaluation.json")
    lines = (done.stdout + done.stderr).splitlines()
    commands = [line for line in lines if "handbench train handobject." in line]
    assert len(commands) == 9
    assert all(f"--store {run}/crop/handobject/com-400-x2/train " in line for line in commands)
    [predicted] = [line for line in lines if "handbench predict" in line]
    assert f"--store {run}/crop/dexter/com-400-x2/test --truth {run}/synthesize/dexter/truth.npz" in predicted
    [cut] = [line for line in lines if "handbench crop dexter" in line]
    assert "--centre com-400 --size 128" in cut


def test_claims_of_a_feedback_paper_ask_for_the_baselines_of_its_tables(checkout: Checkout) -> None:
    """Whosever modules they are, on the data sets that it is measured on itself."""
    (checkout.root / "mine.yaml").write_text("modules: {feedback15_deepprior: {datasets: [nyu]}}\n")
    baselines = ("feedback15_predictor", "feedback15_deepprior", "feedback19_predictor", "nn_search")
    asked = {}
    for paper in ("feedback15", "feedback19", "deepmodel"):
        done = checkout.snakemake("--dry-run", f"claims_{paper}", "--configfile", "mine.yaml")
        said = done.stdout + done.stderr
        asked[paper] = {
            (dataset, module)
            for dataset in ("nyu", "icvl", "msra")
            for module in baselines
            if f"output: results/demo-embedded/evaluate/{dataset}/{module}/seed0/" in said
        }
    on_nyu = {("nyu", module) for module in baselines}
    assert asked == {"feedback15": on_nyu, "feedback19": on_nyu, "deepmodel": set()}


@pytest.mark.parametrize(("overlays", "seeds"), [(["claims"], 3), (["paper", "paper_short"], 1)])
def test_the_half_about_hand_and_object_stands_alone(checkout: Checkout, overlays: list[str], seeds: int) -> None:
    """Without what feedback19 trains for hands alone; rendered sets, and each module of that half."""
    files = [f"config/{overlay}.yaml" for overlay in overlays]
    jobs = checkout.planned("claims_handobject", "--configfile", *files)
    expected = {"train": 23, "predict": 5, "evaluate": 5, "probe": 9}
    assert {rule: count for rule, count in jobs.items() if rule in expected} == {
        rule: seeds * count for rule, count in expected.items()
    }
    assert (jobs["synthesize"], jobs["render"], jobs["crop"]) == (3, 3, 4)


def test_real_frames_with_boxes_in_the_settings_are_predicted(checkout: Checkout) -> None:
    (checkout.root / "mine.yaml").write_text(
        "source: real\nuse: [dexter]\nmodules: {handobject: {settings: {boxes_mm: {Rigid: [60.0, 110.0, 35.0]}}}}\n"
    )
    planned = checkout.planned("--configfile", "mine.yaml")
    assert (planned["train"], planned["predict"], planned["probe"]) == (9, 1, 1)
    done = checkout.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert "--truth" not in done.stdout + done.stderr


def test_the_benchmark_is_cut_as_large_as_the_rendered_hands(checkout: Checkout) -> None:
    target = "results/demo-embedded/crop/dexter/com-400/test/store.json"
    assert checkout.planned(target) == {"synthesize": 1, "crop": 1}
    done = checkout.snakemake("--dry-run", target)
    assert "--split test --centre com-400" in done.stdout + done.stderr


def test_objects_are_rendered_before_real_hands(checkout: Checkout) -> None:
    (checkout.root / "my hands").mkdir()
    (checkout.root / "mine.yaml").write_text(
        "source: real\nrender: {hands: [msra]}\ndatasets: {msra: {path: my hands}}\n"
    )
    made = "results/demo-real/render/train/manifest.json"
    assert checkout.planned(made, "--configfile", "mine.yaml") == {"render": 1}
    done = checkout.snakemake("--dry-run", made, "--configfile", "mine.yaml")
    assert "--hands 'msra=my hands' --frames" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "crop: {sizepx: 64}",
            "config: expected only known keys, found crop.sizepx (known here: size_px); did you mean size_px?",
        ),
        (
            "source: real\nuse: [icvl]\ndatasets: {icvl: {path: nowhere}}",
            "config: expected a folder at datasets.icvl.path, found none at nowhere; mend the path",
        ),
    ],
    ids=["misspelt key", "missing folder"],
)
def test_a_wrong_setting_is_one_line(checkout: Checkout, setting: str, said: str) -> None:
    (checkout.root / "wrong.yaml").write_text(setting)
    done = checkout.snakemake("--configfile", "wrong.yaml")
    ours = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("Config file", "Using"))]
    assert done.returncode == 1
    assert ours == [said]


def test_the_lint_of_snakemake_is_content(checkout: Checkout) -> None:
    done = checkout.snakemake("--lint")
    assert "good condition" in done.stdout + done.stderr
    assert done.returncode == 0


def test_a_run_makes_everything_once_and_again_only_what_changed(doubled: Checkout) -> None:
    after = {"train": 10, "predict": 2, "evaluate": 2, "report": 1}
    whole = {"synthesize": 2, "crop": 6, "show": 3, **after}
    assert doubled.planned(*TINY) == whole
    # Jobs have to find their Python and the package with nothing of the project on PATH.
    done = doubled.snakemake(*TINY, PATH="/usr/local/bin:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    run = doubled.root / "results" / "smoke-embedded"
    assert json.loads((run / "synthesize/icvl/manifest.json").read_text())["frames"] == {"train": 2, "test": 1}
    assert (run / "crop/msra/joint/all/store.json").read_text().startswith("joint 64\nall 0\n")
    assert (run / "logs/crop/msra/joint/all.log").is_file()
    assert (run / "benchmarks/synthesize/icvl.tsv").read_text().startswith("s\t")
    report = (doubled.root / "results/report/index.html").read_text().splitlines()
    crops = "results/smoke-embedded/crop"
    assert report[0] == (
        "NN search (PCA 512) on icvl: nn_search {'components': 512} 0 None"
        f" on {crops}/icvl/com/train for {crops}/icvl/com/test"
    )
    assert [f"P{fold} on {crops}/msra/com/all" in report[1] for fold in range(9)] == [True] * 9
    assert json.loads((run / "call.json").read_text())["scale"] == "smoke"
    assert (run / "ended.txt").read_text() == "FINISHED"
    store = doubled.root / "results/mlflow/store.json"
    assert store.is_file()
    store.unlink()
    assert doubled.planned(*TINY) == {}, "a lost tracking store trains nothing again"

    (doubled.root / "more.yaml").write_text("datasets: {icvl: {frames: {train: 5}}}\n")
    one = {"train": 1, "predict": 1, "evaluate": 1, "report": 1}
    assert doubled.planned(*TINY, "more.yaml") == {"synthesize": 1, "crop": 4, "show": 2, **one}
    (doubled.root / "seeds.yaml").write_text("seeds: [0, 1]\n")
    assert doubled.planned(*TINY, "seeds.yaml") == after, "what the first seed has made stays"
    (doubled.root / "other.yaml").write_text("modules: {nn_search: {settings: {components: 3}}}\n")
    assert doubled.planned(*TINY, "other.yaml") == after
    (doubled.root / "title.yaml").write_text("modules: {nn_search: {title: Nearest}}\n")
    assert doubled.planned(*TINY, "title.yaml") == {"evaluate": 2, "report": 1}, "a name trains nothing"

    doubled.replace("datasets/double.py", "Write a line a frame;", "One line for every frame;")
    doubled.replace("datasets/importers.py", "def list_frames", "# the only door\ndef list_frames")
    doubled.replace("training/tracking.py", "failed=0", "failed=None")
    assert doubled.planned(*TINY) == {}, "comments, docstrings and onlookers re-run nothing"

    doubled.replace("methods/nearest_neighbour.py", "OVERSAMPLING = 32", "OVERSAMPLING = 31")
    assert doubled.planned(*TINY) == after
    doubled.replace("datasets/importers.py", "at hand", "already here")
    assert doubled.planned(*TINY) == {"crop": 6, "show": 3, **after}
    doubled.replace("datasets/double.py", "sleep(60)", "sleep(61)")
    assert doubled.planned(*TINY) == whole


def test_the_published_predictions_are_fetched_where_the_config_says_so(doubled: Checkout) -> None:
    mirror = doubled.root / "record here"
    (doubled.root / "record.yaml").write_text(f"use: [icvl]\npublished: {{use: true, mirrors: ['{mirror}']}}\n")
    assert doubled.planned("--configfile", "tiny.yaml", "record.yaml")["download"] == 1
    done = doubled.snakemake("--configfile", "tiny.yaml", "record.yaml")
    assert done.returncode == 0, done.stderr
    manifest = doubled.root / "results/smoke-embedded/download/published/manifest.json"
    assert manifest.read_text() == f"published ['{mirror}']"
    log = done.stdout + done.stderr
    assert "--record results/smoke-embedded/download/published/raw" in log


def test_a_record_at_hand_is_taken(doubled: Checkout) -> None:
    folder = doubled.root / "results/download/published"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    done = doubled.snakemake(*TINY, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "--record results/download/published/raw" in done.stdout + done.stderr
    assert "download" not in doubled.planned(*TINY)


def test_the_report_is_that_of_the_last_call(doubled: Checkout) -> None:
    (doubled.root / "one.yaml").write_text("use: [icvl]\n")
    (doubled.root / "other.yaml").write_text("use: [icvl]\nscale: demo\n")
    for name in ("one.yaml", "other.yaml"):
        done = doubled.snakemake(*TINY, name)
        assert done.returncode == 0, done.stderr
    assert doubled.planned(*TINY, "one.yaml") == {"report": 1}


def test_a_failed_report_is_made_again_and_its_call_ends(doubled: Checkout) -> None:
    (doubled.root / "one.yaml").write_text("use: [icvl]\n")
    words = (*TINY, "one.yaml")
    assert doubled.snakemake(*words).returncode == 0
    ended = doubled.root / "results/smoke-embedded/ended.txt"
    assert ended.read_text() == "FINISHED"
    doubled.replace("report/build.py", "out.mkdir", "raise ValueError('no report')\n    out.mkdir")
    assert doubled.snakemake(*words).returncode == 1
    assert ended.read_text() == "FAILED"
    doubled.replace("report/build.py", "raise ValueError('no report')\n    out.mkdir", "out.mkdir")
    assert doubled.planned(*words) == {"report": 1}


def test_a_finished_download_is_not_thrown_away(doubled: Checkout) -> None:
    words = ("--configfile", "tiny.yaml", "config/real.yaml", "use.yaml")
    (doubled.root / "use.yaml").write_text("use: [icvl]\ndatasets: {icvl: {mirrors: ['file:///a b', 'file:///c']}}\n")
    assert doubled.snakemake(*words).returncode == 0
    manifest = doubled.root / "results/smoke-real/download/icvl/manifest.json"
    assert manifest.read_text() == "icvl ['file:///a b', 'file:///c']"
    # A better downloader, or another mirror, is no reason to fetch again.
    doubled.replace("datasets/download.py", "one line", "two lines")
    (doubled.root / "use.yaml").write_text("use: [icvl]\n")
    assert doubled.planned(*words) == {}


def wait_for(there: Callable[[], bool], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_nothing_half_written_is_taken_for_whole(doubled: Checkout, tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    running = subprocess.Popen(
        doubled.command(*TINY),
        cwd=doubled.root,
        env=doubled.environment(DOUBLE_WAITS=str(waits)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(waits.exists)
    # The scheduler and every job at once, as when a machine goes down.
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not list(doubled.root.rglob("manifest.json"))

    assert list((doubled.root / ".snakemake/locks").iterdir())
    again = doubled.snakemake(*TINY)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("handbench: the last run here was killed; this one goes on from where it was\n") == 1
    run = doubled.root / "results" / "smoke-embedded"
    assert (run / "synthesize/msra/raw/frames.txt").read_text() == "all 0\nall 1\nall 2\n"
    assert doubled.planned(*TINY) == {}
