"""Kill, fill, delete and lock until the miniature pipeline breaks, or has shown that it does not: `make trust`."""

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.trust import cases
from tests.trust.compare import find_store_differences
from tests.trust.kills import RULES, Struck, draw_blows, judge, kill_again_and_again
from tests.trust.miniature import Miniature, TrustError, make
from tests.workflow.checkout import Checkout

CASES = {
    "full-disk": cases.full_disk,
    "vanished-card": cases.vanished_card,
    "vanished-crops": cases.vanished_crops,
    "vanished-frame": cases.vanished_frame,
    "clock-forward": cases.clock_forward,
    "clock-jumps": cases.clock_jumps,
    "two-runs": cases.two_runs,
    "locked-store": cases.locked_store,
    "removed-store": cases.removed_store,
    "killed-server": cases.killed_server,
}
HEADER = ("run", "kill", "when", "rule", "what", "what the restart did", "equal")
SKIPPED = "skipped"


class Spent:
    """Time since it was made: others may share the machine, so that of the processors tells more."""

    def __init__(self) -> None:
        self._begun = time.monotonic(), _processor_s()

    def __str__(self) -> str:
        wall, processors = time.monotonic() - self._begun[0], _processor_s() - self._begun[1]
        return f"{wall:.0f} s, {processors:.0f} s of processors"


def _processor_s() -> float:
    """Of all children that have been waited for; what a killed parent has not waited for is missing."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Table:
    """What was done and what came of it; each row is printed when it is known."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        self.rows.append(tuple(str(cell) for cell in cells))

    def __str__(self) -> str:
        rows = [HEADER, *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def main() -> int:
    options = parse_options()
    options.place.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="trust-", dir=options.place)).resolve()
    print(f"seed {options.seed}: with `--seed {options.seed}` the same is done again; runs lie in {place}", flush=True)
    table, spent = Table(), Spent()
    whole = Miniature(Checkout(options.whole.resolve())) if options.whole else make_whole(place / "whole")
    for run in range(options.runs):
        with timed(table, f"kills {run}"):
            try_kills(table, place / f"kills{run}", whole, options.seed, run, options.kills)
    if options.runs:
        print(tell_rules(table), flush=True)
        table.wrong += find_unseen(table.struck)
    for name in options.cases:
        with timed(table, name):
            try_case(table, place / name, whole, options.seed, name)
    print(f"\n{table}\n\n{spent}; seed {options.seed}")
    for line in table.wrong:
        print(line)
    if table.wrong:
        print(f"{len(table.wrong)} differences or failures; what is left of them lies in {place}")
        return 1
    shutil.rmtree(place)
    return 0


def make_whole(folder: Path) -> Miniature:
    """A run that nobody disturbs."""
    spent = Spent()
    whole = make(folder)
    whole.finish()
    print(f"one whole run, never disturbed: {spent}", flush=True)
    return whole


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=None, help="draws every kill; without it a new one, which is printed"
    )
    parser.add_argument("--runs", type=int, default=4, help="runs that are killed")
    parser.add_argument("--kills", type=int, default=5, help="kills in each of them")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES), help="of the others, these")
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()), help="where runs lie")
    parser.add_argument("--whole", type=Path, help="the folder of an earlier whole run of the same sources")
    options = parser.parse_args()
    options.seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    return options


def try_kills(table: Table, folder: Path, whole: Miniature, seed: int, run: int, kills: int) -> None:
    miniature = make(folder)
    struck, failure = [], ""
    try:
        kill_again_and_again(miniature, draw_blows(seed, run, kills), struck, whole)
    except TrustError as error:
        failure = str(error)
    wrong = [failure] if failure else judge_all(miniature, whole)
    wrong += [one.lost for one in struck if one.lost]
    table.struck += struck
    for number, one in enumerate(struck):
        table.add(run, number, one.blow, one.rule, one.blow.victim, one.restart, "no" if wrong else "yes")
    table.wrong += [f"kills {run}: {line}" for line in wrong]
    if not wrong:
        shutil.rmtree(folder)


def try_case(table: Table, folder: Path, whole: Miniature, seed: int, name: str) -> None:
    wrong: list[str] = []
    try:
        miniature, told = CASES[name](folder, whole, random.Random(f"{seed}/{name}"))
        wrong = judge_all(miniature, whole)
        table.add(name, "", told.when, told.rule, told.what, told.restart, "no" if wrong else "yes")
    except cases.SkippedError as error:
        table.add(name, "", "", "", SKIPPED, error, "")
    except TrustError as error:
        wrong = [str(error)]
        table.add(name, "", "", "", "failed", "", "no")
    table.wrong += [f"{name}: {line}" for line in wrong]
    if folder.is_mount():
        if wrong:  # the disk takes its content along
            shutil.copytree(folder, folder.with_name(f"{name}-kept"), symlinks=True)
        subprocess.run(["umount", folder], check=True)
    if not wrong and folder.exists():
        shutil.rmtree(folder)


def tell_rules(table: Table) -> str:
    """How often each rule of the miniature was killed, and which never."""
    struck = Counter(row[HEADER.index("rule")].partition(" ")[0] for row in table.rows)
    told = ", ".join(f"{rule} {struck[rule]}" for rule in RULES if struck[rule])
    never = ", ".join(rule for rule in RULES if not struck[rule])
    return f"rules that were killed: {told}; never: {never or 'none'}"


def find_unseen(struck: list[Struck]) -> list[str]:
    """A harness that sees no training go on could not see one start anew either."""
    killed = [one for one in struck if one.kept]
    if not killed or any(one.resumed for one in killed):
        return []
    return [f"of {len(killed)} trainings that were killed with epochs behind them none was seen to be begun again"]


def judge_all(miniature: Miniature, whole: Miniature) -> list[str]:
    return judge(miniature, whole) + find_store_differences(whole.store, miniature.store)


@contextmanager
def timed(table: Table, name: str) -> Iterator[None]:
    spent, wrong, rows = Spent(), len(table.wrong), len(table.rows)
    yield
    skipped = any(SKIPPED in row for row in table.rows[rows:])
    verdict = "WRONG" if len(table.wrong) > wrong else SKIPPED if skipped else "as the whole run"
    print(f"{name}: {verdict}, {spent}", flush=True)
    for line in table.wrong[wrong:]:
        print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
