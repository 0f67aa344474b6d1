"""`python -m benchmarks.growth FRAMES ...`: what more embedded frames cost, stage by stage, as a person would run them.

NYU's training frames are drawn, cut at 128 pixels, and the simple predictor learns from them for an epoch. Counted are
processor seconds of each command with all its processes, which other users of the machine do not change much, the
largest memory of one of them, and what lies on disk afterwards. Numbers go beside those of earlier
calls, into growth.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import name_processor

MEASURED = Path(__file__).with_name("growth.json")
SIZE_PX, BATCH = 128, 64
STAGES = ("synthesize", "crop", "train")
FURTHER = 1_000_000
"""More frames than any of the sets has."""


def measure(words: Sequence[str], made: Path) -> dict[str, float]:
    """One command of handbench."""
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "handbench", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"handbench {words[0]} failed; see what it said")
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(time.monotonic() - begun, 2),
        "peak_mb": round(used.ru_maxrss / 1024),
        "disk_mb": round(sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) / 1e6, 2),
    }


def grow(frames: int, folder: Path) -> dict[str, Any]:
    """All three stages on so many training frames, at the stride that shows as many poses as the whole set has."""
    raw, store, model = folder / "nyu", folder / "crops", folder / "model"
    stride = max(72757 // frames, 1)
    drawn = ["synthesize", "nyu", "--out", str(raw), "--frames", f"train={frames}", "test=1"]
    cut = ["crop", "nyu", "--root", str(raw / "raw"), "--split", "train", "--centre", "joint", "--size", str(SIZE_PX)]
    learned = ["train", "feedback15.predictor", "--store", str(store), "--out", str(model)]
    return {
        "frames": frames,
        "synthesize": measure([*drawn, "--stride", f"train={stride}"], raw),
        "crop": measure([*cut, "--out", str(store)], store),
        "train": measure([*learned, "--set", "epochs=1", f"batch={BATCH}"], model),
    }


def extrapolate(rows: Sequence[Mapping[str, Any]], frames: int) -> dict[str, Any]:
    """A row nobody has measured: on the straight line through the two largest that were."""
    low, high = rows[-2:]
    share = (frames - low["frames"]) / (high["frames"] - low["frames"])
    made: dict[str, Any] = {"frames": frames}
    for stage in STAGES:
        made[stage] = {name: low[stage][name] + share * (high[stage][name] - low[stage][name]) for name in low[stage]}
    return made


def describe(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of docs/scaling.md; what was not measured is in italics."""
    lines = [
        "| frames | core s: drawing | cutting | an epoch | disk: raw files | crops | memory: drawing | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_describe_row(row, "") for row in rows]
    return "\n".join([*lines, _describe_row(extrapolate(rows, FURTHER), "*")])


def _describe_row(row: Mapping[str, Any], mark: str) -> str:
    drawn, cut, learned = (row[stage] for stage in STAGES)
    cells = [f"{row['frames']:,}", *(f"{one['cpu_s']:,.0f}" for one in (drawn, cut, learned))]
    cells += [f"{one['disk_mb'] / 1000:.2f} GB" for one in (drawn, cut)]
    cells += [f"{one['peak_mb'] / 1000:.1f} GB" for one in (drawn, learned)]
    return "| " + " | ".join(f"{mark}{cell}{mark}" for cell in cells) + " |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("frames", type=int, nargs="*", metavar="FRAMES", help="none: print what was measured")
    asked = parser.parse_args().frames
    kept: dict[str, Any] = {"processor": name_processor(), "rows": []}
    if MEASURED.is_file():
        kept["rows"] = [row for row in json.loads(MEASURED.read_text())["rows"] if row["frames"] not in asked]
    for frames in asked:
        with tempfile.TemporaryDirectory() as folder:
            kept["rows"].append(grow(frames, Path(folder)))
        kept["rows"].sort(key=lambda row: row["frames"])
        MEASURED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(describe(kept["rows"]))


if __name__ == "__main__":
    main()
