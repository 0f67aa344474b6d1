"""Two processes train as one does: the same batches, the same noise, the same losses; each with half of the crops."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from handbench.datasets.crops import build_crops
from handbench.errors import BadInput
from handbench.loop import processes
from handbench.modules import KINDS
from handbench.training.checkpoint import load_checkpoint
from handbench.training.launch import find_place
from handbench.training.train import Job, prepare, train
from tests.datasets.crop_fixtures import make_listing
from tests.methods import crossing_fixtures, deepmodel_fixtures, refine_fixtures
from tests.methods.chain_fixtures import find_parts, make_job
from tests.methods.held_fixtures import NEEDS, Held, make_held
from tests.training.together import CPU, measure_crops, run_pair

NOISE = {"learning_rate": 0.003, "label_noise_mm": 3.0}
ALIKE = (
    "localizer",
    "deepprior",
    "feedback15_predictor",
    "synthesizer",
    "feedback19_synthesizer",
    "feedback19_updater",
    "direct_joint",
    "deepmodel",
    "direct_parameter",
    "refine_base",
    "handobject_hand_localizer",
    "handobject_object_predictor",
    "handobject_single",
    "handobject_rotation",
)
"""Nothing in their networks knows of a batch, or draws."""
NEARLY = ("feedback19_predictor", "feedback19_joint", "vae", "posterior", "alignment", "handobject_hand_predictor")
"""Batch statistics, which each process has of its own part, dropout, and a prior of poses that were shaken."""
HELD_PARTS = ("hand_localizer", "object_predictor", "single", "hand_predictor", "rotation")
FIRST_STEP = 10 * 0.0003
"""Of RMSprop at the updater's rate: the gradient over the root of a hundredth of its square."""
LARGE = 1600


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, and the networks that others need."""
    folder = tmp_path_factory.mktemp("together")
    build_crops(make_listing(40, split="train"), centre="joint", size_px=16, out=folder / "train")
    build_crops(make_listing(LARGE, split="train"), centre="joint", size_px=64, out=folder / "large")
    for paper in ("feedback15", "feedback19"):
        for part in ("predictor", "synthesizer"):
            train(make_job(part, paper), folder / "train", folder / f"{paper}_{part}")
    train(of_2019("updater", folder), folder / "train", folder / "feedback19_updater")
    deepmodel_fixtures.make_data(folder / "deepmodel")
    crossing_fixtures.make_data(folder / "crossing")
    for part in ("vae", "gan"):
        train(crossing_fixtures.make_job(part, folder), folder / "crossing/train", folder / part)
    held = make_held(folder / "held")
    for part in NEEDS["rotation"]:
        held.train(part)
    refine_fixtures.make_rendered(folder / "refine")
    return folder


def of_2019(part: str, place: Path) -> Job:
    return make_job(part, "feedback19", find_parts(place, "feedback19", part))


def updater(place: Path, **changes: Any) -> Job:
    return replace(make_job("updater", "feedback15", find_parts(place, "feedback15", "updater")), **changes)


@pytest.fixture(scope="module")
def two(place: Path) -> Path:
    """The updater by two processes."""
    train(updater(place, devices=2), place / "train", place / "two")
    return place / "two"


def read_metrics(folder: Path) -> list[dict[str, float]]:
    told = [json.loads(line) for line in (folder / "tracking.jsonl").read_text().splitlines()]
    return [{row[0]: row[1] for row in event["rows"]} for event in told if event["event"] == "metrics"]


def test_two_processes_reach_the_losses_of_one(place: Path, two: Path) -> None:
    """With the pose set, which grows twice here from what the updater itself says of all frames."""
    train(updater(place), place / "train", place / "one")
    one_by_one, together = read_metrics(place / "one"), read_metrics(two)
    assert len(together) == 4
    for alone, both in zip(one_by_one, together, strict=True):
        assert both == pytest.approx(alone, rel=1e-4)
    states = [load_checkpoint(folder).state for folder in (place / "one", two)]
    for name, value in states[0].items():
        # RMSprop's first steps have full length however small the gradient: where that is rounding, so is the step.
        other = states[1][name]
        assert float(torch.isclose(other, value, atol=2e-4, rtol=1e-3).float().mean()) > 0.995, name
        assert float((other - value).abs().max()) < FIRST_STEP, name
    assert load_checkpoint(two).card["devices"] == 2


def test_the_first_process_alone_writes(two: Path) -> None:
    assert sorted(path.name for path in two.iterdir()) == [
        "checkpoint.json",
        "checkpoint.safetensors",
        "tracking.jsonl",
    ]
    events = [json.loads(line)["event"] for line in (two / "tracking.jsonl").read_text().splitlines()]
    assert events.count("metrics") == 4, "each epoch once"
    assert [events.count(event) for event in (events[0], events[-1])] == [1, 1], "one beginning, one end"


def command(job: Job, place: Path, out: Path, *, nodes: int = 1) -> list[str]:
    settings = [f"{name}={json.dumps(value)}" for name, value in job.settings.items()]
    words = [sys.executable, "-m", "handbench", "train", job.kind, "--module", job.module, "--paper", job.paper]
    words += ["--store", str(place / "train"), "--needs", *map(str, job.needs), "--set", *settings]
    return [*words, "--devices", str(job.devices), "--nodes", str(nodes), "--out", str(out)]


def list_children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("killed", ["first", "other"])
def test_killed_it_goes_on_to_the_same_bytes(place: Path, two: Path, tmp_path: Path, killed: str) -> None:
    """Whichever of the two is killed with -9, none is left, and the same command ends as if nothing had been."""
    job, out = updater(place, devices=2), tmp_path / "model"
    running = subprocess.Popen(command(job, place, out), stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    said = ""
    while "epoch 2 of" not in said:
        line = running.stderr.readline()
        assert line, said
        said += line
    others = [child for child in list_children(running.pid) if b"spawn_main" in read_command(child)]
    os.kill(running.pid if killed == "first" else others[0], signal.SIGKILL)
    rest = running.communicate(timeout=120)[1]
    assert len(others) == 1
    deadline = time.monotonic() + 30
    while any(map(is_alive, [running.pid, *others])) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, [running.pid, *others]))
    if killed == "other":
        assert running.returncode == 1
        assert "handbench: train: expected 2 processes until the end, found process 1 ended with status -9" in rest
        assert "Traceback" not in rest
    assert not (out / "checkpoint.json").exists()
    assert list(out.rglob("epoch.ckpt")), "something to go on from"
    train(job, place / "train", out)
    file = "checkpoint.safetensors"
    assert (out / file).read_bytes() == (two / file).read_bytes()


def read_command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def test_two_machines_train_as_two_devices_of_one(
    place: Path, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both on this one: the same command, told apart by their environment; the second writes nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    job = updater(place, nodes=2)
    second = subprocess.Popen(
        command(job, place, tmp_path / "model", nodes=2),
        env={**os.environ, **where, "NODE_RANK": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    for name, value in {**where, "NODE_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    said = train(job, place / "train", tmp_path / "model")
    assert said.startswith("feedback15_updater trained on 40 frames")
    told = second.communicate(timeout=120)[0]
    assert (second.returncode, told.strip()) == (
        0,
        "feedback15_updater: node 1 has trained it with the others; the first one writes",
    )
    file = "checkpoint.safetensors"
    assert (tmp_path / "model" / file).read_bytes() == (two / file).read_bytes()


def list_jobs(place: Path) -> list[tuple[Job, Path]]:
    """Of each way to prepare a training one."""
    train_store, held = place / "train", Held(place / "held")
    posterior = replace(crossing_fixtures.make_job("posterior", place), needs=(place / "vae",))
    deepprior = {"epochs": 2, "batch": 8, "components": 5, "learning_rate": 0.001}
    return [
        (replace(make_job("localizer", "feedback19"), module="localizer"), train_store),
        (Job("feedback15.deepprior", "deepprior", "feedback15", deepprior, 0, None), train_store),
        (replace(make_job("synthesizer", "feedback15", **NOISE), module="synthesizer"), train_store),
        *(
            (deepmodel_fixtures.make_job(variant, place / "deepmodel", dropout=0.0), place / "deepmodel/train")
            for variant in ("direct_joint", "deepmodel", "direct_parameter")
        ),
        (refine_fixtures.base_job(place / "refine", dropout=0.0), place / "refine/crops"),
        *((make_job("predictor", paper), train_store) for paper in ("feedback15", "feedback19")),
        (make_job("synthesizer", "feedback19"), train_store),
        *((of_2019(part, place), train_store) for part in ("updater", "joint")),
        *((crossing_fixtures.make_job(part, place), place / "crossing/train") for part in ("vae", "alignment")),
        (posterior, place / "crossing/train"),
        *((held.job(part), held.learned) for part in HELD_PARTS),
    ]


def test_every_kind_that_spreads_is_held_and_told(tmp_path: Path) -> None:
    """The page names what is held to what."""
    jobs = [job for job, _ in list_jobs(tmp_path)]
    spread = {kind for kind, known in KINDS.items() if known.spreads}
    assert spread - {job.kind for job in jobs} == {"feedback15.updater", "handobject.object_localizer"}
    assert sorted(job.module for job in jobs) == sorted((*ALIKE, *NEARLY))
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    told = page.partition("**It is the training of one process.**")[2].partition("What cannot be the same:")[0]
    assert {kind for kind in spread if kind not in told} == {"deepmodel.hand", "deepmodel.joint", "deepmodel.parameter"}


@pytest.fixture(scope="module")
def pair(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("pair")
    return folder, run_pair(folder, list_jobs(place), place / "large")


Pair = tuple[Path, list[dict[str, Any]]]


def test_together_they_draw_what_one_draws_and_no_two_alike(pair: Pair) -> None:
    first, second = pair[1]
    assert [one["own"] for one in pair[1]] == [0, 1]
    processes.seed(11)
    assert first["rand"] + second["rand"] == processes.rand(6, 2, device=CPU).tolist()
    assert first["randn"] + second["randn"] == processes.randn(6, device=CPU).tolist()
    assert first["randint"] + second["randint"] == processes.randint(100, 6, device=CPU).tolist()
    assert first["whole"] == second["whole"] == processes.rand(4, device=CPU).tolist()
    assert not set(first["apart"]) & set(second["apart"]), "dropout differs"


def test_what_each_has_and_what_all_know(pair: Pair) -> None:
    first, second = pair[1]
    assert (first["mine"], second["mine"]) == ([0, 2, 4, 6], [1, 3, 5])
    for one in pair[1]:
        assert one["joined"] == list(range(7))
        assert one["chained"] == [0, 2, 4, 6, 1, 3, 5]
        assert (one["total"], one["mean"], one["average"], one["agreed"]) == (7, 3.0, [0.5, 5.0], True)
    assert first["part"] == {
        "number": [6, 0, 3],
        "pair": [[6.0, 60.0], [0.0, 0.0], [3.0, 30.0]],
        "odd": [False, False, True],
    }
    assert second["part"]["number"] == [1, 2, 2]


def test_each_process_holds_its_own_crops_and_no_other(place: Path, pair: Pair) -> None:
    """Half of the frames each, and half of the memory that one process takes for all."""
    whole, patches = measure_crops(place / "large"), LARGE * 64 * 64 * 2
    assert (whole["seen"], whole["kept"]) == (0.9 * LARGE, patches)
    for one in pair[1]:
        assert (one["memory"]["seen"], one["memory"]["held_back"]) == (whole["seen"] / 2, whole["held_back"] / 2)
        assert one["memory"]["kept"] == patches / 2
        assert one["memory"]["grown"] < 0.7 * patches


@pytest.mark.parametrize("module", ALIKE)
def test_every_preparation_gives_what_one_process_gives(place: Path, pair: Pair, module: str, tmp_path: Path) -> None:
    job, store = next(one for one in list_jobs(place) if one[0].module == module)
    losses: list[float] = []
    state, fit = prepare(job, store).learn(tmp_path, lambda metrics, step: losses.append(metrics["loss"]))
    folder, seen = pair
    assert seen[0][module]["losses"] == pytest.approx(losses, rel=1e-4)
    assert seen[0][module]["shown"] == pytest.approx(fit.shown, rel=1e-4)
    for name, value in load_file(folder / "0" / f"{module}.safetensors").items():
        torch.testing.assert_close(value, state[name], atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("module", NEARLY)
def test_what_knows_its_batch_comes_near_and_ends_alike_in_both(
    place: Path, pair: Pair, module: str, tmp_path: Path
) -> None:
    job, store = next(one for one in list_jobs(place) if one[0].module == module)
    losses: list[float] = []
    prepare(job, store).learn(tmp_path, lambda metrics, step: losses.append(metrics["loss"]))
    folder, seen = pair
    assert seen[0][module]["losses"] == pytest.approx(losses, rel=0.25)
    assert seen[0][module] == seen[1][module]
    states = [load_file(folder / str(rank) / f"{module}.safetensors") for rank in (0, 1)]
    learned = [name for name in states[0] if "running" not in name and "tracked" not in name]
    assert learned
    assert all(torch.equal(states[0][name], states[1][name]) for name in learned)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("crossing.gan", {}, "crossing.gan is trained by one process: one device on one node"),
        ("crossing.estimator", {}, "crossing.estimator is trained by one process"),
        ("handobject.hand_updater", {}, "handobject.hand_updater is trained by one process"),
        ("nearest_neighbour", {}, "nearest_neighbour is trained by one process"),
        ("feedback15.predictor", {"batch": 9}, "a batch of 9 cannot be shared evenly by 2 processes"),
        ("crossing.vae", {"batch": 2}, "2 gives each of 2 processes fewer than the 2 frames that crossing.vae needs"),
    ],
)
def test_what_cannot_be_trained_together_is_told_in_one_line(
    place: Path, tmp_path: Path, kind: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        train(Job(kind, "one", "own", settings, 0, None, devices=2), place / "train", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_machine_must_know_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NODE_RANK", "MASTER_ADDR", "SLURM_NODEID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match=r"expected NODE_RANK, 0 to 2, and MASTER_ADDR.*found NODE_RANK=none"):
        find_place(1, 3)
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.setenv("NODE_RANK", "3")
    with pytest.raises(BadInput, match=r"found NODE_RANK=3, MASTER_ADDR=10\.0\.0\.1"):
        find_place(1, 3)
    monkeypatch.setenv("NODE_RANK", "2")
    assert find_place(4, 3).rank == 8
    monkeypatch.delenv("NODE_RANK")
    monkeypatch.delenv("MASTER_ADDR")
    monkeypatch.setenv("SLURM_NODEID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "3")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[07-09]")
    found = find_place(2, 3)
    assert (found.rank, found.address, found.count) == (2, "node07", 6)
