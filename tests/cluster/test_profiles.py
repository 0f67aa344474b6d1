"""The profiles name every rule, agree with themselves, and docs/cluster.md tells what they say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from handbench.job_memory import DRAWING_LEAST_MB, NETWORK_LEAST_MB
from tests.workflow.checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "workflow" / "profiles"
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
THREADS = dict(re.findall(r"^rule (\w+):.*?^    threads: (.+?)$", RULES, re.MULTILINE | re.DOTALL))
"""Of every rule that is a job; those that only name targets have none."""
ON_CARDS = {"crop_localized", "train", "predict", "probe"}
"""What runs networks: `handbench.loop.crop_data.find_device` takes a card where there is one."""


COMPUTED = dict.fromkeys(("synthesize", "render"), DRAWING_LEAST_MB)
COMPUTED |= dict.fromkeys(("train", "predict", "probe"), NETWORK_LEAST_MB)
"""Rules that compute their memory from frames and pixels, and the least that they ask for."""


def read_profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


@pytest.fixture(params=["slurm", "kubernetes"])
def profile(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read_profile(request.param)


def test_every_rule_has_its_resources(profile: dict[str, Any]) -> None:
    assert set(profile["set-resources"]) | set(COMPUTED) == set(THREADS)
    cards = {rule: wanted["gpu"] for rule, wanted in profile["set-resources"].items() if "gpu" in wanted}
    # A training's are those of its module.
    assert cards == dict.fromkeys(ON_CARDS - {"train"}, 1)
    # Snakemake counts the attempts: what was killed for its memory is given more.
    memory = {rule: wanted["mem_mb"] for rule, wanted in profile["set-resources"].items() if "mem_mb" in wanted}
    assert set(memory) == set(THREADS) - set(COMPUTED)
    assert all(re.fullmatch(r"\d+ \* attempt", asked) for asked in memory.values())


def test_memory_is_that_of_the_rules(profile: dict[str, Any]) -> None:
    rules = dict(re.findall(r"^rule (\w+):(.*?)(?=^rule |\Z)", RULES, re.MULTILINE | re.DOTALL))
    own = {
        rule: re.findall(r"^        mem_mb=(\d+),$", text, re.MULTILINE)
        for rule, text in rules.items()
        if rule in THREADS
    }
    asked = profile["set-resources"]
    assert {rule: [asked[rule]["mem_mb"].split()[0]] for rule in own if own[rule]} == {
        r: m for r, m in own.items() if m
    }
    assert {rule for rule in own if not own[rule]} == set(COMPUTED)


def test_cards_are_counted_a_job_and_not_a_cluster(profile: dict[str, Any]) -> None:
    # Snakemake cuts what a job asks for to such a limit: with one card a training could not have two.
    assert "gpu" not in read_profile("default").get("resources", {}) | profile["resources"]
    # A group's jobs of one layer would have a card each; with this they take turns.
    assert profile["resources"] == {"in_turn": 1}
    assert profile["set-resource-scopes"] == {"in_turn": "local"}
    wanted = profile["set-resources"]
    grouped = {rule for rule in profile["groups"] if "gpu" in wanted.get(rule, {})}
    assert {rule for rule in wanted if wanted[rule].get("in_turn") == 1} == grouped


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
    assert {rule: wanted for rule, wanted in without.items() if wanted} == kubernetes["set-resources"]
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
    table = re.findall(
        r"^\| `(\w+)` \| (.+?) \| ((?:from )?[\d,]+) \| (.+?) \| ([\d,]+) \| (\w+) \|", page, re.MULTILINE
    )
    told = {
        rule: (threads, memory.removeprefix("from ").replace(",", ""), cards, time.replace(",", ""), partition)
        for rule, threads, memory, cards, time, partition in table
    }
    expected = {
        rule: (
            "its module's" if "settings" in THREADS[rule] else THREADS[rule],
            wanted.get("mem_mb", f"{COMPUTED.get(rule)}").split()[0],
            "its module's" if rule == "train" else str(wanted.get("gpu", "-")),
            str(wanted["runtime"]),
            wanted["slurm_partition"],
        )
        for rule, wanted in read_profile("slurm")["set-resources"].items()
    }
    assert told == expected
    assert {rule for rule, _, memory, *_ in table if memory.startswith("from ")} == set(COMPUTED)


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        ("{devices: 1}", {"gpu": "1", "nodes": "1", "mem_mb": "8000"}),
        ("{devices: 2}", {"gpu": "2", "nodes": "1", "mem_mb": "8000"}),
        ("{devices: 2, nodes: 2}", {"gpu": "4", "nodes": "2", "mem_mb": "8000"}),
        ("{devices: 8}", {"gpu": "8", "nodes": "1", "mem_mb": "16070"}),
    ],
)
def test_a_training_asks_slurm_for_its_devices_and_machines(tmp_path: Path, entry: str, asked: dict[str, str]) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra `slurm` is not installed")
    checkout = copy_checkout(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"modules: {{feedback15_predictor: {entry}}}\n")
    target = "results/demo-embedded/train/nyu/feedback15_predictor/seed0/checkpoint.json"
    words = ("--dry-run", target, "--configfile", "mine.yaml")
    done = checkout.snakemake(*words, "--profile", "workflow/profiles/slurm")
    said = (done.stdout + done.stderr).partition("rule train:")[2]
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = re.findall(r"^ +resources: (.+)$", said.partition("Shell command")[0], re.MULTILINE)
    wanted = dict(word.split("=", 1) for word in told.split(", "))
    assert {key: wanted[key] for key in asked} == asked
    # On one machine jobs share its cards, so that none waits for another's.
    alone = checkout.snakemake(*words)
    (told,) = re.findall(r"^ +resources: (.+)$", alone.stdout.partition("rule train:")[2], re.MULTILINE)
    assert "gpu=" not in told
