"""What a run costs: the arithmetic of schedules on graphs small enough to do by hand, and the page that tells it."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import cost, demo, growth
from benchmarks.dag import DryJob, parse_dry_run
from benchmarks.schedule import Job, count_use, find_critical_path, measure_makespan, measure_peak, schedule
from handbench.config import load_config
from handbench.conventions import NYU
from handbench.datasets.synthesize import CHUNK_FRAMES

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
MEASURED = json.loads(cost.MEASURED.read_text())
GIGAFLOPS = json.loads(cost.COUNTED.read_text())

CORE = {"cores": 1.0}
DIAMOND = [
    Job("a", 2, (), CORE),
    Job("b", 3, ("a",), CORE),
    Job("c", 5, ("a",), CORE),
    Job("d", 1, ("b", "c"), CORE),
]
DRY_RUN = """
[Fri Jan  1 00:00:00 2027]
rule crop:
    input: /r/paper/synthesize/nyu/manifest.json
    output: /r/paper/crop/nyu/com/train/store.json
    jobid: 2
    benchmark: /r/paper/benchmarks/crop/nyu/com/train.tsv
    wildcards: dataset=nyu, centre=com, larger=, split=train
    threads: 2
Shell command: python -m handbench crop nyu

[Fri Jan  1 00:00:00 2027]
rule synthesize:
    output: /r/paper/synthesize/nyu/manifest.json, /r/paper/synthesize/nyu/truth.npz
    jobid: 1
    wildcards: dataset=nyu
Shell command: python -m handbench synthesize nyu

[Fri Jan  1 00:00:00 2027]
rule all:
    input: /r/paper/crop/nyu/com/train/store.json
    jobid: 0

Job stats:
"""


def test_the_longest_path_and_the_sum() -> None:
    assert find_critical_path(DIAMOND) == (8, ["a", "c", "d"])
    assert count_use(DIAMOND, "cores") == 11


@pytest.mark.parametrize(("cores", "makespan"), [(1, 11), (2, 8), (64, 8)])
def test_a_diamond_on_few_and_many_cores(cores: int, makespan: float) -> None:
    assert measure_makespan(DIAMOND, {"cores": cores}) == makespan


def test_what_has_the_longest_way_ahead_goes_first() -> None:
    """Four alone of 3 s, and a chain of 4 and 5: begun first, the chain fills one of two cores and a half."""
    jobs = [Job(name, 3, (), CORE) for name in "pqrs"] + [Job("x", 4, (), CORE), Job("y", 5, ("x",), CORE)]
    assert schedule(jobs, {"cores": 2}) == {"x": 0, "p": 0, "q": 3, "y": 4, "r": 6, "s": 9}
    assert measure_makespan(jobs, {"cores": 2}) == 12


def test_several_resources_hold_a_job_back() -> None:
    """Three trainings of 40 GB have slots, but two do not fit in 78 GB together."""
    jobs = [Job(name, 10, (), {"slots": 1, "gigabytes": 40}) for name in "abc"]
    capacity = {"slots": 7, "gigabytes": 78}
    assert measure_makespan(jobs, capacity) == 30
    assert measure_makespan(jobs, {name: 2 * amount for name, amount in capacity.items()}) == 10


def test_what_never_fits_and_what_waits_for_itself_are_told() -> None:
    with pytest.raises(ValueError, match="a asks for 1 cores, of which there are fewer"):
        schedule(DIAMOND, {"cores": 0.5})
    with pytest.raises(ValueError, match="in a circle"):
        find_critical_path([Job("s", 1), Job("a", 1, ("b",)), Job("b", 1, ("a",))])


def test_a_dry_run_is_read() -> None:
    crop, synthesize = parse_dry_run(DRY_RUN, "/r/paper/")
    assert synthesize == DryJob("synthesize/nyu/manifest.json", "synthesize", {"dataset": "nyu"}, ())
    assert (crop.name, crop.after) == ("crop/nyu/com/train/store.json", ("synthesize/nyu/manifest.json",))
    assert crop.wildcards == {"dataset": "nyu", "centre": "com", "larger": "", "split": "train"}
    assert (crop.threads, crop.benchmark) == (2, "benchmarks/crop/nyu/com/train.tsv")


def train_job(module: str, dataset: str) -> DryJob:
    return DryJob("t", "train", {"module": module, "dataset": dataset, "seed": "0"}, ())


def test_a_training_by_hand() -> None:
    """100 epochs of 65,481 frames in batches of 64 at the mean step of seven side by side, 180 s / 115,000 x 7."""
    config = load_config([ROOT / "config.yaml", ROOT / "config/paper.yaml"])
    prices = cost.Prices(config, MEASURED, GIGAFLOPS)
    job = train_job("feedback15_predictor", "nyu")
    assert prices.count_steps(job) == 100 * (65481 // 64)
    priced = prices.price(job)
    assert priced.seconds == pytest.approx(10 + 102300 * 7 * 180 / 115000)
    assert priced.uses["gigabytes"] == pytest.approx(72757 * (2 * 128 * 128 + 512) / 1e9 + 1)
    assert prices.count_steps(train_job("refine_base", "nyu")) == 30 * 900
    factor = 200 * GIGAFLOPS["refine.base"] / (64 * sum(GIGAFLOPS[kind] for kind in MEASURED["gpu"]["kinds"]) / 7)
    assert prices.price(train_job("refine_base", "nyu")).seconds == pytest.approx(
        10 + 27000 * factor * 7 * 180 / 115000
    )
    together = prices.price(train_job("feedback15", "nyu")).uses
    assert together == {"cores": 1, "cards": 1, "memory": 8.0}, "put together, not trained"
    assert priced.uses["memory"] == 8.0
    probed = prices.price(DryJob("p", "probe", {"module": "feedback15_predictor", "dataset": "nyu"}, ())).uses
    assert (probed["cards"], prices.price(DryJob("r", "report", {}, ())).uses["cards"]) == (1.0, 0.0)


def test_one_training_a_card_takes_as_many_cards_as_trainings() -> None:
    jobs = [Job(name, 10, (), {"slots": 1, "cards": 1, "gigabytes": 2, "cores": 1, "memory": 8}) for name in "abcdefg"]
    shared = schedule(jobs, cost.make_capacity(1, MEASURED, shared=True))
    assert set(shared.values()) == {0.0}
    assert (measure_peak(jobs, shared, "gigabytes"), measure_peak(jobs, shared, "memory")) == (14, 56)
    alone = schedule(jobs, cost.make_capacity(1, MEASURED, shared=False))
    assert sorted(alone.values()) == [0, 10, 20, 30, 40, 50, 60]
    assert (measure_peak(jobs, alone, "gigabytes"), measure_peak(jobs, alone, "memory")) == (2, 8)


def test_operations_are_those_that_torch_counts() -> None:
    from benchmarks.flops import count_kinds

    assert count_kinds() == pytest.approx(GIGAFLOPS, rel=1e-3)


def test_extrapolation_is_a_straight_line() -> None:
    def row(frames: int, value: float) -> dict:
        one = {"cpu_s": value, "wall_s": value, "peak_mb": value, "disk_mb": value}
        return {"frames": frames, **dict.fromkeys(growth.STAGES, one)}

    made = growth.extrapolate([row(10, 99.0), row(1000, 11.0), row(4000, 41.0)], 10000)
    assert made["train"]["cpu_s"] == pytest.approx(101.0)
    assert growth.describe([row(1000, 11.0), row(4000, 41.0)]).splitlines()[-1].startswith("| *1,000,000* | *10,001* |")


def read_block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found, name
    return found.group(1).strip()


def test_the_page_has_what_growth_was_measured() -> None:
    assert read_block("python -m benchmarks.growth") == growth.describe(json.loads(growth.MEASURED.read_text())["rows"])


def test_the_page_tells_by_how_much_memory_grows_and_why() -> None:
    """A crop in half precision and the file it was read from; the mask of the forearm, twice as it was measured."""
    low, high = json.loads(growth.MEASURED.read_text())["rows"][-2:]
    grown = {
        stage: (high[stage]["peak_mb"] - low[stage]["peak_mb"]) * 1000 / (high["frames"] - low["frames"])
        for stage in ("train", "synthesize")
    }
    crop, mask = 2 * growth.SIZE_PX**2 / 1000, NYU.camera.width * NYU.camera.height / 8 / 1000
    assert grown["train"] == pytest.approx(2 * crop, rel=0.1)
    assert grown["synthesize"] == pytest.approx(2 * mask, rel=0.1)
    full = high["frames"] + (24_000 - high["train"]["peak_mb"]) * 1000 / grown["train"]
    assert f"a training on some {round(full, -4):,.0f}\nframes would fill this machine's 24 GB" in PAGE
    assert f"a training grows by {grown['train']:.0f} KB a frame of {growth.SIZE_PX} pixels" in PAGE
    assert f"drawing grew by {grown['synthesize']:.0f} KB a frame when" in PAGE
    assert f"pixels, {mask:.0f} KB, and was in memory twice" in PAGE
    assert f"in chunks of {CHUNK_FRAMES} frames, {CHUNK_FRAMES * mask / 1000:.0f} MB" in PAGE


def test_the_page_has_what_the_program_prints_of_the_graph_as_it_is() -> None:
    jobs = cost.price_all(cost.CONFIGS, MEASURED, GIGAFLOPS)
    assert read_block("python -m benchmarks.cost") == cost.describe(jobs, MEASURED, MEASURED["gpu"]["price"])


def test_a_job_is_the_papers_that_alone_waits_for_it(tmp_path: Path) -> None:
    def train(module: str, after: str) -> DryJob:
        return DryJob(module, "train", {"module": module}, (after,))

    graph = [
        DryJob("drawn", "synthesize", {}, (), 2),
        DryJob("bones", "fit", {}, ("drawn",)),
        DryJob("sheet", "show", {}, ("drawn",)),
        train("deepmodel", "bones"),
        train("deepmodel_direct_joint", "bones"),
        train("handobject_hand_localizer", "drawn"),
        DryJob("page", "report", {}, ("deepmodel", "sheet")),
    ]
    parts = demo.find_parts(graph, load_config([ROOT / "config.yaml"]))
    assert parts == {
        "drawn": demo.SHARED,
        "bones": "deepmodel",
        "sheet": demo.DATA,
        "deepmodel": "deepmodel",
        "deepmodel_direct_joint": "deepmodel",
        "handobject_hand_localizer": "handobject",
        "page": demo.REPORT,
    }
    rows = {row["part"]: row for row in demo.measure_parts(graph, parts, dict.fromkeys(parts, 60.0))}
    assert rows["deepmodel"] == {"part": "deepmodel", "jobs": 3, "core_min": 3, "two_cores_min": 2}
    assert rows[demo.SHARED]["core_min"] == 2
    assert (rows["all"]["core_min"], rows["all"]["two_cores_min"]) == (8, 4)


def test_the_page_has_what_the_demo_took_which_is_not_too_long() -> None:
    measured = json.loads(demo.MEASURED.read_text())
    assert read_block("python -m benchmarks.demo") == demo.describe(measured)
    assert measured["wall_min"] <= demo.WHOLE_LIMIT_MIN
    over = [row["part"] for row in measured["rows"] if row["two_cores_min"] > demo.LIMITS_MIN.get(row["part"], 60)]
    assert len(over) == 3
    assert "three parts do not keep theirs" in PAGE
