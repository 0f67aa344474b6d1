"""`python -m benchmarks.cost`: time, memory and money of a whole run on 1, 8 and 64 GPUs, from its graph of jobs.

The graph is Snakemake's own, of config/paper.yaml. What a job takes comes from cost.json, which says where each number
was measured, and from flops.json: a training's step takes as long as the mean step that was measured, or longer as it
has more operations than the mean of those. So far no step of a single kind has been timed on a GPU, nor a training that
has one to itself: what such a run takes lies between two bounds.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from benchmarks.dag import ROOT, DryJob, read_dag
from benchmarks.schedule import Job, count_use, find_critical_path, find_end, measure_peak, schedule
from handbench.config import Config, load_config
from handbench.conventions import DATASETS, HANDS
from handbench.job_memory import (
    ask_for_drawing,
    ask_for_trained,
    ask_for_training,
    count_frames,
    count_rendered_frames,
    count_training_frames,
    measure_crops_mb,
)

MEASURED = Path(__file__).with_name("cost.json")
COUNTED = Path(__file__).with_name("flops.json")
CONFIGS = ("config/paper.yaml",)
PROFILE = ROOT / "workflow/profiles/slurm/profile.yaml"
GPUS = (1, 8, 64)
HOUR = 3600.0
UNBOUNDED = float("inf")


class Prices:
    """What every job of a run takes."""

    def __init__(self, config: Config, measured: Mapping[str, Any], gigaflops: Mapping[str, float]) -> None:
        self.config, self.measured, self.gigaflops = config, measured, gigaflops
        gpu = measured["gpu"]
        self.mean_step_s = gpu["side_by_side"] * gpu["seconds"] / gpu["steps"]
        self.profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["set-resources"]
        self.mean_gigaflops = mean(self.count_gigaflops(kind, 64) for kind in gpu["kinds"])

    def price(self, job: DryJob) -> Job:
        """Seconds, and what is held for so long."""
        asked = {
            "memory": self._ask_for_memory(job),
            "cards": float(job.rule == "train" or self._profile_has_card(job)),
        }
        if job.rule == "train":
            return self._price_training(job, asked)
        seconds, cores = self.measured["cpu"][job.rule], self.measured["cores"].get(job.rule, 1)
        each = seconds["each_frame"]
        each = each.get(self._find_word(job), each["other"]) if isinstance(each, dict) else each
        taken = (seconds["start"] + each * self._count_frames(job)) / cores
        return Job(job.name, taken, job.after, asked | {"cores": cores})

    def _profile_has_card(self, job: DryJob) -> bool:
        return "gpu" in self.profile.get(job.rule, {})

    def _ask_for_memory(self, job: DryJob) -> float:
        """Gigabytes of a machine that the first attempt is given."""
        config, told = self.config, job.wildcards
        if job.rule in ("synthesize", "render"):
            return ask_for_drawing(config, told.get("set", told.get("dataset", ""))) / 1e3
        if job.rule == "train":
            return ask_for_training(config, told["module"], told["dataset"]) / 1e3
        if job.rule in ("predict", "probe"):
            return ask_for_trained(config, told["module"], told["dataset"], learned=job.rule == "probe") / 1e3
        return int(self.profile[job.rule]["mem_mb"].split()[0]) / 1e3

    def count_gigaflops(self, kind: str, batch: int) -> float:
        return self.gigaflops[kind] * batch

    def find_step_s(self, kind: str, batch: int) -> float:
        """Never less than the mean that was measured: most steps there wait for kernels to start."""
        return self.mean_step_s * max(1.0, self.count_gigaflops(kind, batch) / self.mean_gigaflops)

    def count_steps(self, job: DryJob) -> int:
        settings: Any = self.config.modules[job.wildcards["module"]].settings
        epochs = settings.epochs + sum(getattr(settings, "stage_epochs", []))
        frames = round(0.9 * self.count_training_frames(job))
        if getattr(settings, "equal", "") == "epochs":
            frames = max(round(settings.labelled_share * frames), 1)
        return int(epochs * max(frames // settings.batch, 1))

    def count_training_frames(self, job: DryJob) -> int:
        return count_training_frames(self.config, job.wildcards["module"], job.wildcards["dataset"])

    def count_gigabytes(self, job: DryJob) -> float:
        """Of a GPU: crops, and a process's own share."""
        crops_mb = measure_crops_mb(self.config, job.wildcards["module"], self.count_training_frames(job))
        return crops_mb / 1e3 + float(self.measured["gpu"]["process_gb"])

    def _find_word(self, job: DryJob) -> str:
        """What a job's time depends on: the kind of module, the rendered set, or the dataset."""
        module, told = job.wildcards.get("module"), job.wildcards
        return self.config.modules[module].kind if module else told.get("set", told.get("dataset", ""))

    def _price_training(self, job: DryJob, asked: Mapping[str, float]) -> Job:
        module = self.config.modules[job.wildcards["module"]]
        start = float(self.measured["cpu"]["train"]["start"])
        if not hasattr(module.settings, "epochs"):
            return Job(job.name, start, job.after, {**asked, "cores": 1})
        settings: Any = module.settings
        seconds = start + self.count_steps(job) * self.find_step_s(module.kind, settings.batch)
        uses = {**asked, "cores": 1, "slots": 1, "gigabytes": self.count_gigabytes(job)}
        return Job(job.name, seconds, job.after, uses)

    def _count_frames(self, job: DryJob) -> int:
        dataset, split = job.wildcards.get("dataset", ""), job.wildcards.get("split", "")
        if job.rule == "render":
            return count_rendered_frames(self.config, job.wildcards["set"])
        if dataset in ("handobject", "hands"):
            return count_rendered_frames(self.config, HANDS.name if dataset == HANDS.name else split)
        if dataset not in DATASETS:
            return 0
        return count_frames(self.config, dataset, "test" if job.rule in ("predict", "evaluate", "probe") else split)


def price_all(
    configs: Sequence[str], measured: Mapping[str, Any], gigaflops: Mapping[str, float]
) -> tuple[list[Job], list[Job]]:
    """Every job of a run with its seconds, trainings at the clock of those that share a GPU; and the same where a step
    takes no longer than the card was at work for it, the least that one which has a GPU to itself can take.
    """
    config = load_config([ROOT / "config.yaml", *(ROOT / one for one in configs)])
    graph = read_dag(configs)
    alone = {**measured, "gpu": {**measured["gpu"], "side_by_side": 1}}
    prices = [Prices(config, numbers, gigaflops) for numbers in (measured, alone)]
    shared, least = ([one.price(job) for job in graph] for one in prices)
    return shared, least


def make_capacity(gpus: int, measured: Mapping[str, Any], *, shared: bool) -> dict[str, float]:
    """Of so many machines with a GPU each. That a job cannot be in two of them at once is left out.

    `shared`: so many trainings on a card as were measured. Else whatever runs networks has one to itself, as the
    profile for Slurm asks.
    """
    gpu = measured["gpu"]
    each = {"gigabytes": gpu["gigabytes"], "cores": gpu["cores"]}
    each |= {"slots": gpu["side_by_side"], "cards": UNBOUNDED} if shared else {"slots": UNBOUNDED, "cards": 1}
    return {name: float(number) * gpus for name, number in each.items()} | {"memory": UNBOUNDED}


def describe(priced: tuple[Sequence[Job], Sequence[Job]], measured: Mapping[str, Any], price: float) -> str:
    """The tables of docs/scaling.md."""
    jobs, least = priced
    trainings = [job for job in jobs if "slots" in job.uses]
    others = [job for job in jobs if "slots" not in job.uses]
    gpu = measured["gpu"]
    side_by_side, step_ms = float(gpu["side_by_side"]), 1e3 * gpu["seconds"] / gpu["steps"]
    longest, path = find_critical_path(jobs)
    core_hours = count_use(others, "cores") / HOUR
    largest = max(trainings, key=lambda job: job.uses["gigabytes"])
    ways = (
        (f"{side_by_side:g} trainings share one", jobs, True, "slots"),
        (f"one each, {side_by_side * step_ms:.0f} ms a step", jobs, False, "cards"),
        (f"one each, {step_ms:.1f} ms a step", least, False, "cards"),
    )
    hours = {way: count_use(these, held) / HOUR for way, these, _, held in ways}
    hours[ways[0][0]] /= side_by_side
    lines = [
        "| | |",
        "|---|---|",
        f"| jobs | {len(jobs):,}, of which {len(trainings):,} train on a GPU |",
        *(f"| GPU hours, {way} | {hours[way]:.1f} |" for way in hours),
        f"| core hours of all else | {core_hours:.1f} |",
        f"| critical path | {longest / HOUR:.2f} h, {len(path)} jobs |",
        f"| largest training | {largest.uses['gigabytes']:.1f} GB, `{largest.name}` |",
        "",
        f"| GPUs | each has | time from begin to end | GPUs busy | machines kept for so long, at {price:.2f} a GPU hour"
        " | memory: of all GPUs | of all machines |",
        "|---|---|---|---|---|---|---|",
    ]
    for gpus in GPUS:
        for way, these, shared, _ in ways:
            begun = schedule(these, make_capacity(gpus, measured, shared=shared))
            taken = find_end(these, begun) / HOUR
            peaks = [f"{measure_peak(these, begun, held):,.0f} GB" for held in ("gigabytes", "memory")]
            cells = [f"{taken:.2f} h", f"{100 * hours[way] / (gpus * taken):.0f} %", f"{gpus * taken * price:,.0f}"]
            lines.append(f"| {gpus} | {way} | {' | '.join([*cells, *peaks])} |")
    lines += ["", "The critical path:", "", "| hours | job |", "|---|---|"]
    known = {job.name: job for job in jobs}
    lines += [f"| {known[name].seconds / HOUR:.2f} | `{name}` |" for name in path]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--configfile", nargs="+", default=CONFIGS, metavar="FILE", help="laid over config.yaml")
    parser.add_argument(
        "--price", type=float, metavar="P", help="of a GPU hour with its machine (default: cost.json's)"
    )
    options = parser.parse_args()
    measured, gigaflops = (json.loads(path.read_text(encoding="utf-8")) for path in (MEASURED, COUNTED))
    price = measured["gpu"]["price"] if options.price is None else options.price
    print(describe(price_all(options.configfile, measured, gigaflops), measured, price))


if __name__ == "__main__":
    main()
