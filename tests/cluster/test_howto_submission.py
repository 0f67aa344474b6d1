"""What the page on moving to a cluster shows is sent, on a Slurm whose partitions are called as the page calls them."""

from pathlib import Path

import pytest

from tests.cluster.own_slurm import find_obstacle, start_slurm
from tests.howto.howto_page import PAGES, set_up

pytestmark = pytest.mark.cluster

PAGE = PAGES / "move-to-a-cluster.md"
SENDING = "## Send it"
PARTITIONS = ("normal", "a100")
# As docs/cluster.md has it: this Slurm keeps no accounts, and its one node shows every file at once.
HERE = "slurm-status-command: squeue\n"
CHANGED = {"slurm-init-seconds-before-status-checks: 20": "slurm-init-seconds-before-status-checks: 2"}
CHANGED |= {"latency-wait: 60": "latency-wait: 10"}


def test_the_page_is_followed_to_its_results(tmp_path: Path) -> None:
    obstacle = find_obstacle()
    if obstacle:
        pytest.skip(f"no Slurm of its own: {obstacle}")
    reader = set_up(tmp_path / "handbench")
    reader.follow(PAGE, end=SENDING)
    profile = reader.root / "my-cluster" / "profile.yaml"
    text = profile.read_text()
    for old, new in CHANGED.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    profile.write_text(text + HERE)
    with start_slurm(PARTITIONS) as slurm:
        reader.follow(PAGE, first=SENDING)
        jobs = slurm.read_jobs().values()
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert {job["Partition"] for job in jobs} == set(PARTITIONS)
