"""The profiles name every rule, agree with themselves, and docs/cluster.md tells what they say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "workflow" / "profiles"
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
THREADS = dict(re.findall(r"^rule (\w+):.*?^    threads: (.+?)$", RULES, re.MULTILINE | re.DOTALL))
"""Of every rule that is a job; those that only name targets have none."""
ON_CARDS = {"crop_localized", "train", "predict", "probe"}
"""What runs networks: `handbench.loop.crop_data.find_device` takes a card where there is one."""


def read_profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


@pytest.fixture(params=["slurm", "kubernetes"])
def profile(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read_profile(request.param)


def test_every_rule_has_its_resources(profile: dict[str, Any]) -> None:
    assert set(profile["set-resources"]) == set(THREADS)
    cards = {rule: wanted["gpu"] for rule, wanted in profile["set-resources"].items() if "gpu" in wanted}
    assert cards == dict.fromkeys(ON_CARDS, 1)
    # Snakemake counts the attempts: what was killed for its memory is given more.
    assert all(re.fullmatch(r"\d+ \* attempt", wanted["mem_mb"]) for wanted in profile["set-resources"].values())


def test_memory_is_that_of_the_rules(profile: dict[str, Any]) -> None:
    own = dict(re.findall(r"^rule (\w+):.*?^        mem_mb=(\d+),$", RULES, re.MULTILINE | re.DOTALL))
    assert {rule: wanted["mem_mb"].split()[0] for rule, wanted in profile["set-resources"].items()} == own


def test_cards_are_counted_a_job_and_not_a_cluster(profile: dict[str, Any]) -> None:
    # The default profile applies as well and would else give the whole cluster one card.
    assert read_profile("default")["resources"] == {"gpu": 1}
    assert profile["set-resource-scopes"] == {"gpu": "local"}


def test_a_stopped_job_is_sent_again(profile: dict[str, Any]) -> None:
    assert profile["retries"] >= 1
    assert profile["keep-going"] is True
    assert profile["latency-wait"] >= 60


def test_both_profiles_ask_for_the_same() -> None:
    slurm, kubernetes = read_profile("slurm"), read_profile("kubernetes")
    without = {
        rule: {key: value for key, value in wanted.items() if key not in ("slurm_partition", "runtime")}
        for rule, wanted in slurm["set-resources"].items()
    }
    assert without == kubernetes["set-resources"]
    for key in ("groups", "group-components", "set-resource-scopes", "retries"):
        assert slurm[key] == kubernetes[key]


def test_slurm_finds_a_partition_and_a_time_for_every_rule() -> None:
    slurm = read_profile("slurm")
    wanted = slurm["set-resources"]
    assert all(one["runtime"] > 0 for one in wanted.values())
    assert {rule for rule, one in wanted.items() if one["slurm_partition"] == "gpu"} == ON_CARDS | {"evaluate"}
    # A group is one Slurm job, which has one partition.
    for group in set(slurm["groups"].values()):
        members = [rule for rule, its in slurm["groups"].items() if its == group]
        assert len({wanted[rule]["slurm_partition"] for rule in members}) == 1


def test_the_page_tells_what_the_profile_says() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| (.+?) \| ([\d,]+) \| (.+?) \| ([\d,]+) \| (\w+) \|", page, re.MULTILINE)
    told = {
        rule: (threads, memory.replace(",", ""), cards, time.replace(",", ""), partition)
        for rule, threads, memory, cards, time, partition in table
    }
    expected = {
        rule: (
            "its module's" if "settings" in THREADS[rule] else THREADS[rule],
            wanted["mem_mb"].split()[0],
            str(wanted.get("gpu", "-")),
            str(wanted["runtime"]),
            wanted["slurm_partition"],
        )
        for rule, wanted in read_profile("slurm")["set-resources"].items()
    }
    assert told == expected
