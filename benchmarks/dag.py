"""The workflow's graph of jobs as a dry run of Snakemake tells it: rules, wildcards, and which job waits for which."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
UNTOLD = {"input": "", "output": "", "wildcards": "", "benchmark": "", "threads": "1"}
"""Of a job, where the dry run leaves it out."""


@dataclass(frozen=True)
class DryJob:
    """One job that would run."""

    name: str
    """Its first output, below the results."""
    rule: str
    wildcards: dict[str, str]
    after: tuple[str, ...]
    threads: int = 1
    benchmark: str = ""
    """The file in which Snakemake writes down what the job took, below the results."""


def read_dag(configs: Sequence[str]) -> list[DryJob]:
    """All jobs of a run from nothing, with these files laid over config.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "none"
        # As many cores as the most any job asks for: with fewer, Snakemake tells of fewer threads.
        command = [str(SNAKEMAKE), "--dry-run", "--forceall", "--cores", "64", "--configfile", *configs]
        command += ["--config", f"results={results}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return parse_dry_run(done.stdout, f"{results}/")


def parse_dry_run(text: str, results: str) -> list[DryJob]:
    """Jobs by name, since Snakemake tells them in any order; the target rule, which does nothing, is left out."""
    blocks = [block for block in _split_blocks(text) if block["output"]]
    makers = {file: block["output"].split(", ")[0] for block in blocks for file in block["output"].split(", ")}
    jobs = []
    for block in blocks:
        wildcards = dict(pair.partition("=")[::2] for pair in block["wildcards"].split(", ") if pair)
        needed = dict.fromkeys(makers[file] for file in block["input"].split(", ") if file in makers)
        name, *after = (one.removeprefix(results) for one in (block["output"].split(", ")[0], *needed))
        noted = block["benchmark"].removeprefix(results)
        jobs.append(DryJob(name, block["rule"], wildcards, tuple(after), int(block["threads"]), noted))
    return sorted(jobs, key=lambda job: job.name)


def _split_blocks(text: str) -> Iterator[dict[str, str]]:
    block: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith(("rule ", "localrule ", "checkpoint ")):
            block = {"rule": line.split()[1].rstrip(":"), **UNTOLD}
        elif block and line.startswith("    "):
            key, _, value = line.strip().partition(": ")
            block |= {key: value} if key in block else {}
        elif block:
            yield block
            block = {}
