"""Jobs in Slurm's queue that a killed snakemake has left there: they go on without it, and know nothing of the next."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMAND = ("squeue", "--noheader", "--format=%i|%T|%j|%Z")
"""Number, state, name, folder; of all users, since a checkout may be a group's."""
PATIENCE_S = 60
NAMED_BY_SNAKEMAKE = re.compile(r"(^|_)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""The number of a call, after a prefix of the profile. Other jobs may work in a checkout: a shell, snakemake itself."""


@dataclass(frozen=True)
class SlurmJob:
    """One that waits or runs."""

    number: str
    state: str
    call: str
    """The name that all jobs of one call of snakemake have."""

    def __str__(self) -> str:
        return f"{self.number} ({self.state.lower()})"


def find_slurm_jobs(folder: Path) -> list[SlurmJob] | None:
    """Those that a snakemake has sent from a folder and that have not ended; None where Slurm does not answer."""
    try:
        asked = subprocess.run(COMMAND, text=True, capture_output=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode:
        return None
    place, found = os.path.realpath(folder), []
    for line in asked.stdout.splitlines():
        # Of the four only a folder may hold the sign between them.
        number, state, name, where = line.split("|", 3) if line.count("|") >= 3 else ("", "", "", "")
        if NAMED_BY_SNAKEMAKE.search(name) and os.path.realpath(where) == place:
            found.append(SlurmJob(number, state, name))
    return found
