"""Freed memory stays with a training."""

import subprocess
import sys

import pytest

TOUCH = """
import resource, sys
import torch
from handbench.training.memory import keep_memory
kept = sys.argv[1] == "kept" and keep_memory()
# It takes some steps until every block has found its place.
for _ in range(12):
    torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def count_faults(how: str) -> tuple[bool, int]:
    """Pages that the system had to hand over in ten steps which each ask for one block of 64 MB."""
    printed = subprocess.run([sys.executable, "-c", TOUCH, how], capture_output=True, text=True, check=True).stdout
    kept, faults = printed.split()
    return kept == "True", int(faults)


def test_blocks_are_used_again_and_not_fetched_anew() -> None:
    kept, few = count_faults("kept")
    if not kept:
        pytest.skip("this C library has no mallopt")
    _, many = count_faults("plain")
    assert few < many / 20
