"""Damaged files for every reader: the same data, or one clear line. A failure prints how to see its mutant again."""

import pytest

from tests.mutation import faulty
from tests.mutation.catalogue import READERS
from tests.mutation.judge import ANOTHER, REFUSED, SAME, count, judge, tell_failures
from tests.mutation.reader import Specimen

FEW, MANY = 100, 1000
SEED_OF_FEW, SEED_OF_MANY = 0, 1


def check(name: str, seed: int, mutants: int) -> None:
    verdicts = list(judge(name, seed, range(mutants)))
    assert len(verdicts) == mutants
    assert not tell_failures(name, seed, verdicts), tell_failures(name, seed, verdicts)
    found = count(verdicts)
    noticed = found[ANOTHER] if READERS[name].fits or not found[REFUSED] else found[REFUSED]
    assert noticed or name == "download, cut", f"{name}: no mutant of {mutants} made any difference: {found}"


@pytest.mark.parametrize("name", READERS)
def test_a_hundred_mutants(name: str) -> None:
    check(name, SEED_OF_FEW, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_mutants(name: str) -> None:
    check(name, SEED_OF_MANY, MANY)


@pytest.mark.parametrize("fault", [name for name in faulty.FAULTS if name != "hang"])
def test_every_fault_is_found_out(fault: str) -> None:
    verdicts = list(judge(fault, 0, range(12), catalogue=faulty.__name__))
    assert {verdict.outcome for verdict in verdicts} <= {fault, SAME}
    assert count(verdicts)[fault] >= 6
    told = tell_failures(fault, 0, verdicts)
    assert f"--seed 0 --mutant {next(k for k, v in enumerate(verdicts) if v.outcome == fault)}" in told


@pytest.mark.parametrize("name", faulty.BLIND)
def test_who_passes_over_damage_may_not_take_it_for_data(name: str) -> None:
    verdicts = list(judge(name, 0, range(120), catalogue=faulty.__name__))
    assert {verdict.outcome for verdict in verdicts} <= {"wrong", SAME, ANOTHER}
    assert count(verdicts)["wrong"] >= 5


@pytest.mark.slow
def test_a_reader_that_waits_is_interrupted() -> None:
    assert count(list(judge("hang", 0, range(2), catalogue=faulty.__name__)))["hang"] >= 1


def test_a_sound_reader_has_no_fault() -> None:
    verdicts = list(judge("sound", 0, range(40), catalogue=faulty.__name__))
    assert set(count(verdicts)) == {SAME, REFUSED}
    assert tell_failures("sound", 0, verdicts) == ""


@pytest.mark.parametrize("name", ["MSRA15 joint.txt", "fitted poses"])
def test_seed_and_number_make_the_mutant(tmp_path, name: str) -> None:
    """Whatever came before it, in whatever folder; and everything is mended afterwards."""
    one, other = (Specimen(READERS[name], tmp_path / word) for word in ("one", "other"))
    whole = read_tree(tmp_path / "one")
    for number in range(60):
        one.damage(7, number)
        if number % 7 == 0:
            other.damage(7, number)
            assert read_tree(tmp_path / "one") == read_tree(tmp_path / "other")
            other.mend()
        one.mend()
        assert read_tree(tmp_path / "one") == whole


def read_tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else path.lstat().st_mode
        for path in folder.rglob("*")
        if path.resolve().name != "zero"
    }
