"""`python -m tests.mutation`: a table of readers and what became of their mutants, or one mutant again.

python -m tests.mutation                                  a thousand mutants of every reader
python -m tests.mutation "NYU depth" --count 100 --seed 3
python -m tests.mutation "NYU depth" --seed 3 --mutant 17 --keep FOLDER     leaves the damaged files there
"""

import argparse
import sys
import time
from pathlib import Path

from tests.mutation.catalogue import READERS
from tests.mutation.judge import GOOD, count, judge, judge_one, limited, tell_failures
from tests.mutation.reader import Specimen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--mutant", type=int, help="this one alone, in this process")
    parser.add_argument("--keep", type=Path, help="where its files are left")
    options = parser.parse_args()
    if options.mutant is not None:
        return show(options.readers[0], options.seed, options.mutant, options.keep)
    failed = 0
    for name in options.readers or READERS:
        began = time.monotonic()
        verdicts = list(judge(name, options.seed, range(options.count)))
        found = count(verdicts)
        bad = sum(found.values()) - sum(found[word] for word in GOOD)
        words = ", ".join(f"{word} {found[word]}" for word in sorted(found))
        print(f"{name:32} {words} ({time.monotonic() - began:.1f} s)", flush=True)
        if bad:
            failed += 1
            print(tell_failures(name, options.seed, verdicts), flush=True)
    return int(failed > 0)


def show(name: str, seed: int, number: int, keep: Path) -> int:
    specimen = Specimen(READERS[name], keep)
    whole = READERS[name].read(keep)
    specimen.mend()
    mutant = specimen.damage(seed, number)
    with limited():
        verdict = judge_one(specimen, mutant, whole)
    print(f"{verdict.outcome}: {verdict.mutant}\n{verdict.told}")
    return int(verdict.outcome not in GOOD)


if __name__ == "__main__":
    sys.exit(main())
