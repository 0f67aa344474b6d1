"""`python -m benchmarks.cost`: time, memory and money of a whole run on 1, 8 and 64 GPUs, from its graph of jobs.

The graph is Snakemake's own, of config/paper.yaml. What a job takes comes from cost.json, which says where each number
was measured, and from flops.json: a training's step takes as long as the mean step that was measured, or longer as it
has more operations than the mean of those. So far no step of a single kind has been timed on a GPU.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.dag import ROOT, DryJob, read_dag
from benchmarks.schedule import Job, count_use, find_critical_path, measure_makespan
from handbench.config import Config, load_config
from handbench.conventions import DATASETS, HANDS
from handbench.job_memory import count_frames, count_rendered_frames, count_training_frames, measure_crops_mb

MEASURED = Path(__file__).with_name("cost.json")
COUNTED = Path(__file__).with_name("flops.json")
CONFIGS = ("config/paper.yaml",)
GPUS = (1, 8, 64)
HOUR = 3600.0


class Prices:
    """What every job of a run takes."""

    def __init__(self, config: Config, measured: Mapping[str, Any], gigaflops: Mapping[str, float]) -> None:
        self.config, self.measured, self.gigaflops = config, measured, gigaflops
        gpu = measured["gpu"]
        self.mean_step_s = gpu["side_by_side"] * gpu["seconds"] / gpu["steps"]
        self.mean_gigaflops = mean(self.count_gigaflops(kind, 64) for kind in gpu["kinds"])

    def price(self, job: DryJob) -> Job:
        """Seconds, and what is held for so long."""
        if job.rule == "train":
            return self._price_training(job)
        seconds, cores = self.measured["cpu"][job.rule], self.measured["cores"].get(job.rule, 1)
        each = seconds["each_frame"]
        each = each.get(self._find_word(job), each["other"]) if isinstance(each, dict) else each
        return Job(job.name, (seconds["start"] + each * self._count_frames(job)) / cores, job.after, {"cores": cores})

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

    def _price_training(self, job: DryJob) -> Job:
        module = self.config.modules[job.wildcards["module"]]
        start = float(self.measured["cpu"]["train"]["start"])
        if not hasattr(module.settings, "epochs"):
            return Job(job.name, start, job.after, {"cores": 1})
        settings: Any = module.settings
        seconds = start + self.count_steps(job) * self.find_step_s(module.kind, settings.batch)
        return Job(job.name, seconds, job.after, {"cores": 1, "slots": 1, "gigabytes": self.count_gigabytes(job)})

    def _count_frames(self, job: DryJob) -> int:
        dataset, split = job.wildcards.get("dataset", ""), job.wildcards.get("split", "")
        if job.rule == "render":
            return count_rendered_frames(self.config, job.wildcards["set"])
        if dataset in ("handobject", "hands"):
            return count_rendered_frames(self.config, HANDS.name if dataset == HANDS.name else split)
        if dataset not in DATASETS:
            return 0
        return count_frames(self.config, dataset, "test" if job.rule in ("predict", "evaluate", "probe") else split)


def price_all(configs: Sequence[str], measured: Mapping[str, Any], gigaflops: Mapping[str, float]) -> list[Job]:
    """Every job of a run, with its seconds."""
    config = load_config([ROOT / "config.yaml", *(ROOT / one for one in configs)])
    prices = Prices(config, measured, gigaflops)
    return [prices.price(job) for job in read_dag(configs)]


def make_capacity(gpus: int, measured: Mapping[str, Any]) -> dict[str, float]:
    """Of so many machines with a GPU each. That a job cannot be in two of them at once is left out."""
    gpu = measured["gpu"]
    each = {"slots": gpu["side_by_side"], "gigabytes": gpu["gigabytes"], "cores": gpu["cores"]}
    return {name: float(number) * gpus for name, number in each.items()}


def describe(jobs: Sequence[Job], measured: Mapping[str, Any], price: float) -> str:
    """The tables of docs/scaling.md."""
    trainings = [job for job in jobs if "slots" in job.uses]
    others = [job for job in jobs if "slots" not in job.uses]
    side_by_side = float(measured["gpu"]["side_by_side"])
    longest, path = find_critical_path(jobs)
    core_hours = count_use(others, "cores") / HOUR
    gpu_hours = count_use(jobs, "slots") / side_by_side / HOUR
    largest = max(trainings, key=lambda job: job.uses["gigabytes"])
    lines = [
        "| | |",
        "|---|---|",
        f"| jobs | {len(jobs):,}, of which {len(trainings):,} train on a GPU |",
        f"| GPU hours, {side_by_side:g} trainings side by side | {gpu_hours:.1f} |",
        f"| core hours of all else | {core_hours:.1f} |",
        f"| critical path | {longest / HOUR:.2f} h, {len(path)} jobs |",
        f"| largest training | {largest.uses['gigabytes']:.1f} GB, `{largest.name}` |",
        "",
        f"| GPUs | time from begin to end | GPUs busy | machines kept for so long, at {price:.2f} a GPU hour |",
        "|---|---|---|---|",
    ]
    for gpus in GPUS:
        hours = measure_makespan(jobs, make_capacity(gpus, measured)) / HOUR
        busy = gpu_hours / (gpus * hours)
        lines.append(f"| {gpus} | {hours:.2f} h | {100 * busy:.0f} % | {gpus * hours * price:,.0f} |")
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
