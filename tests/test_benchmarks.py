"""The harness on a clock made by hand, and that every row compares like with like."""

import dataclasses
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import loops, run
from benchmarks.harness import (
    Candidate,
    DisagreementError,
    GpuMissingError,
    Quartiles,
    Race,
    Speed,
    find_quartiles,
    interleave,
    time_race,
)
from benchmarks.report import describe, format_result
from benchmarks.rows import Limit, Row, SpeedRow, list_rows

ROWS = list_rows()


class FakeMachine:
    """A clock that work moves on; each call of the clock makes the machine slower or faster, as neighbours do."""

    def __init__(self, loads: tuple[float, ...] = (1.0,)) -> None:
        self.now, self.loads, self.order = 0.0, loads, ""

    def clock(self) -> float:
        return self.now

    def worker(self, letter: str, seconds: float):
        def work() -> None:
            # A pair of turns meets the same load.
            self.now += seconds * self.loads[len(self.order) // 2 % len(self.loads)]
            self.order += letter

        return work


def make_race(
    machine: FakeMachine, ours_s: float, peer_s: float, *, items: tuple[int, int] = (1, 1), check=lambda: None
):
    ours, peer = machine.worker("a", ours_s), machine.worker("b", peer_s)
    return Race(Candidate(ours, items[0]), Candidate(peer, items[1]), check)


def test_ratio_is_paired_and_a_busy_machine_does_not_move_it() -> None:
    machine = FakeMachine(loads=(1.0, 5.0, 0.5))
    timing = time_race(make_race(machine, 0.02, 0.06), seconds=1.0, clock=machine.clock)
    assert (timing.ratio.low, timing.ratio.median, timing.ratio.high) == pytest.approx((3.0, 3.0, 3.0))
    assert timing.ours_s.high > 4 * timing.ours_s.low


def test_candidates_take_turns_in_rotating_order() -> None:
    machine = FakeMachine()
    time_race(make_race(machine, 0.02, 0.02), seconds=0.0, clock=machine.clock)
    # One call each to warm up, one each to count calls, then seven rounds.
    assert machine.order == "abababbaabbaabbaab"


def test_times_are_per_item_and_short_work_is_repeated() -> None:
    machine = FakeMachine()
    race = make_race(machine, 0.001, 0.03, items=(10, 3))
    ours, peer = interleave([race.ours, race.peer], seconds=0.0, clock=machine.clock)
    assert ours == pytest.approx([0.0001] * 7)
    assert peer == pytest.approx([0.01] * 7)
    assert machine.order.count("a") == 2 + 7 * 10


def test_quartiles_by_hand() -> None:
    quartiles = find_quartiles([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (quartiles.low, quartiles.median, quartiles.high) == (2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("gate", "target", "verdict"),
    [(2.0, 2.5, "target"), (2.0, 4.0, "gate"), (4.0, 5.0, "FAILED"), (None, None, "reported")],
)
def test_verdicts(monkeypatch: pytest.MonkeyPatch, gate: float | None, target: float | None, verdict: str) -> None:
    machine = FakeMachine()
    monkeypatch.setattr(run, "time_race", lambda race, seconds: time_race(race, seconds=seconds, clock=machine.clock))
    row = Row("row", "work", "peer", lambda: make_race(machine, 0.02, 0.06), gate, target)
    assert run.measure_row(row, 0.1).verdict == verdict


def test_candidates_that_disagree_are_not_timed() -> None:
    def check() -> None:
        raise DisagreementError("3 pixels")

    row = Row("row", "work", "peer", lambda: make_race(FakeMachine(), 1.0, 1.0, check=check), 1.0, 1.0)
    result = run.measure_row(row, 0.1)
    assert (result.verdict, result.timing) == ("FAILED", None)
    assert "3 pixels" in result.note


def test_exit_status_and_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    fast = Limit("fast", "a limit", lambda: 0.1, gate=0.3, target=0.3)
    rows = [fast, dataclasses.replace(fast, name="absent", needs=("no_such_module",))]
    monkeypatch.setattr(command, "list_rows", lambda: rows)

    def main(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
        return command.main()

    assert main("--json", str(tmp_path / "numbers.json")) == 0
    assert "pip install" in capsys.readouterr().out
    assert main("--require-all") == 1
    assert main("fast", "--require-all") == 0
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert [row["verdict"] for row in numbers["rows"]] == ["target", "not run"]
    rows[0] = dataclasses.replace(fast, gate=0.05)
    assert main("fast") == 1
    with pytest.raises(SystemExit, match="expected fast, absent; found 'slow'"):
        main("slow")


def test_a_speed_is_reported_beside_print() -> None:
    speed = Speed(Quartiles(39_000.0, 40_000.0, 41_000.0), "Some GPU, replays of a CUDA graph")
    row = SpeedRow("speed", "work", lambda: speed, 400.0, "a GTX 780 Ti", batch=4096)
    result = run.measure_row(row, 0.1)
    assert (result.verdict, result.value) == ("reported", speed.fps)
    numbers, work, note = format_result(result, "Some CPU").splitlines()
    assert numbers.split() == ["speed", "40000", "fps", "39000", "to", "41000", "-", "-", "reported"]
    assert work.strip() == "work; batch 4096, float32; 1 thread, cuda (Some CPU)"
    told = "on Some GPU, replays of a CUDA graph; 100.0 times the printed 400 frames/s on a GTX 780 Ti"
    assert note.strip() == told
    facts = describe(result, "Some CPU")
    assert (facts["unit"], facts["printed_fps"], facts["batch"], facts["note"]) == ("frames/s", 400.0, 4096, told)


def test_without_a_gpu_a_speed_is_not_run_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def measure() -> Speed:
        raise GpuMissingError("needs a GPU")

    row = SpeedRow("speed", "work", measure, 400.0, "a GTX 780 Ti")
    assert (run.measure_row(row, 0.1).verdict, run.measure_row(row, 0.1).note) == ("not run", "needs a GPU")
    monkeypatch.setattr(command, "list_rows", lambda: [row])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--require-all"])
    assert command.main() == 0
    assert "not run: speed" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it would be measured")
@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, SpeedRow)], ids=lambda row: row.name)
def test_the_gpu_rows_say_what_they_lack(row: SpeedRow) -> None:
    assert "torch.cuda.is_available() is false" in run.measure_row(row, 0.1).note


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_loop_is_measured_on_a_gpu_as_a_graph(precision: torch.dtype) -> None:
    speed = loops.measure_loop_on_gpu(2, precision)
    assert 0 < speed.fps.low <= speed.fps.median <= speed.fps.high
    assert speed.device == f"{torch.cuda.get_device_name()}, replays of a CUDA graph"


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Row)], ids=lambda row: row.name)
def test_both_candidates_of_a_row_agree(row: Row) -> None:
    missing = [module for module in row.needs if find_spec(module) is None]
    if missing:
        pytest.skip(f"{missing[0]} comes with the bench extra")
    race = row.prepare()
    race.check()


def test_names_are_unique_and_gates_lie_below_targets() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        if isinstance(row, Row) and row.gate is not None:
            assert row.target is not None
            assert row.gate < row.target
