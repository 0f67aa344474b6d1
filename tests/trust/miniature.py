"""The miniature pipeline in a folder of its own, started by the command that the documentation gives."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.trust.processes import Seen, see_below
from tests.workflow.checkout import ROOT, SMOKE_RUN, Checkout, copy_checkout

COMMAND = ("--configfile", "config/smoke_miniature.yaml")
RUN = SMOKE_RUN
PATIENCE_S = 1800.0
"""How long a run may take on a machine that others share; a run that hangs is a failure."""


class TrustError(AssertionError):
    """A case did not end as it should."""


@dataclass
class Attempt:
    """One call of snakemake: what it prints goes to a file."""

    process: subprocess.Popen[bytes]
    said_in: Path
    begun: float = field(default_factory=time.monotonic)
    begun_at: float = field(default_factory=time.time)

    @property
    def said(self) -> str:
        return self.said_in.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def planned(self) -> int:
        """Jobs that it means to run."""
        found = re.search(r"^total +(\d+)$", self.said, re.MULTILINE)
        return int(found.group(1)) if found else 0

    @property
    def rules(self) -> dict[str, int]:
        """The same by rule."""
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total ", self.said, re.MULTILINE | re.DOTALL)
        rows = re.findall(r"^(\w+) +(\d+)$", table.group(1), re.MULTILINE) if table else []
        return {rule: int(count) for rule, count in rows}

    @property
    def started(self) -> int:
        return self.count_started(r"\w+")

    def count_started(self, rule: str) -> int:
        return len(re.findall(rf"^(?:local)?rule {rule}:$", self.said, re.MULTILINE))

    def jobs(self) -> list[Seen]:
        return [one for one in see_below(self.process.pid) if one.is_job]

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TrustError(f"{self.said_in}: not at its end after {PATIENCE_S:g} s") from None

    def kill(self) -> None:
        if self.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait_until(self, there: Callable[[], object]) -> bool:
        """Whether it came to be true while the attempt lasted."""
        while self.alive:
            if there():
                return True
            if time.monotonic() - self.begun > PATIENCE_S:
                self.kill()
                raise TrustError(f"{self.said_in}: what was waited for has not come in {PATIENCE_S:g} s")
            time.sleep(0.02)
        return False


@dataclass
class Miniature:
    """A checkout, and the attempts at running it."""

    checkout: Checkout
    attempts: list[Attempt] = field(default_factory=list)
    store: Path = field(init=False)
    """The database that its jobs were tracked in."""

    def __post_init__(self) -> None:
        self.store = self.root / "results/mlflow/mlflow.db"

    @property
    def root(self) -> Path:
        return self.checkout.root

    @property
    def run(self) -> Path:
        return self.root / RUN

    def start(self, *words: str, **variables: str) -> Attempt:
        """The command, in a session of its own."""
        said_in = self.root / f"attempt{len(self.attempts)}.txt"
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
        with said_in.open("wb") as said:
            process = subprocess.Popen(
                self.checkout.command(*COMMAND, *words),
                cwd=self.root,
                env=quiet | self.checkout.environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.attempts.append(Attempt(process, said_in))
        return self.attempts[-1]

    def finish(self, *words: str, **variables: str) -> Attempt:
        """The command, run to its end, which has to be a good one."""
        attempt = self.start(*words, **variables)
        if status := attempt.wait():
            raise TrustError(f"the command ends with status {status}; its words are in {attempt.said_in}")
        return attempt

    def read_cost_s(self, stage: str) -> float:
        """Seconds of processors that the cheapest job of a stage has taken, as snakemake has measured it."""
        folder = self.run / "benchmarks"
        found = [folder / f"{stage}.tsv"] if stage == "report" else sorted((folder / stage).rglob("*.tsv"))
        rows = [dict(zip(*(line.split("\t") for line in path.read_text().splitlines()), strict=True)) for path in found]
        return min(float(row["cpu_time"]) for row in rows)

    def ask(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of the package, as a person gives it."""
        environment = self.checkout.environment(PYTHONPATH="src", MLFLOW_DISABLE_TELEMETRY="true", **variables)
        return subprocess.run(words, cwd=self.root, env=environment, text=True, capture_output=True, check=False)

    def all_said(self) -> str:
        """Everything that attempts and the last jobs of each kind have printed."""
        logs = sorted((self.run / "logs").rglob("*.log"))
        return "\n".join([one.said for one in self.attempts] + [log.read_text(errors="replace") for log in logs])


def make(folder: Path) -> Miniature:
    folder.mkdir(parents=True)
    return Miniature(copy_checkout(folder, ROOT))


def make_halfway(folder: Path, whole: Miniature, *, undone: tuple[str, ...]) -> Miniature:
    """A folder with the work of a whole run but for some modules and the report: it has those still to do."""
    miniature = make(folder)
    shutil.copytree(whole.root / "results", miniature.root / "results")
    shutil.copytree(whole.root / ".snakemake", miniature.root / ".snakemake")
    for module in undone:
        for made in miniature.run.glob(f"*/*/{module}"):
            if made.parts[-3] in ("train", "predict", "evaluate", "probe"):
                shutil.rmtree(made)
    shutil.rmtree(miniature.root / "results/report")
    return miniature
