"""A Slurm of its own on this one machine: one node, two partitions, cards that are none. It needs root and no systemd.

    python tests/cluster/own_slurm.py snakemake --profile workflow/profiles/slurm --slurm-status-command squeue

runs a command beside it and takes everything down again. What the jobs ran on is in its `jobs.txt`, which Slurm itself
writes, and in `granted.txt`, a line for each step with the card it was given.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
"""Slurm is told of another place by SLURM_CONF alone, which it takes from its jobs."""
OURS = "# Written by tests/cluster/own_slurm.py"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
CARDS = 3
CPUS = 4
"""As Slurm is told, whatever the machine has."""
MEMORY_MB = 64_000
NULL_DEVICE = os.makedev(1, 3)
READY_SECONDS = 60


def find_obstacle() -> str | None:
    """Why no Slurm can be started here, in a few words; None where it can."""
    if os.geteuid() != 0:
        return "starting Slurm's daemons takes root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install slurm-wlm munge"
    written = CONFIGURATION / "slurm.conf"
    if written.exists() and not written.read_text().startswith(OURS):
        return f"{written} is there: this machine belongs to a cluster"
    return None


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class OwnSlurm:
    """What runs, and where it keeps its files."""

    folder: Path

    def ask(self, *words: str) -> str:
        """What one of Slurm's commands prints."""
        return subprocess.run(words, check=True, text=True, capture_output=True).stdout

    def read_jobs(self) -> dict[str, dict[str, str]]:
        """Every job that has ended, by its number, as Slurm has noted it; the last word of one that ran twice."""
        noted = {}
        for line in self._read("jobs.txt"):
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            noted[fields["JobId"]] = fields
        return noted

    def read_granted(self) -> list[tuple[str, str]]:
        """Number of the job and the card it saw, for every step that was started, in order."""
        steps = [line.partition(" ") for line in self._read("granted.txt")]
        return [(job, card) for job, _, card in steps]

    def _read(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.is_file() else []


@contextmanager
def start_slurm(partitions: Sequence[str] = ("cpu", "gpu")) -> Iterator[OwnSlurm]:
    """Slurm's daemons while the block runs; the first partition is where jobs go that name none."""
    obstacle = find_obstacle()
    if obstacle:
        raise RuntimeError(f"own Slurm: {obstacle}")
    folder = Path(tempfile.mkdtemp(prefix="own-slurm-"))
    # Munge asks that others may pass through to its socket.
    folder.chmod(0o755)
    running: list[subprocess.Popen[bytes]] = []
    # Ended from outside, it must not leave daemons behind.
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        _write_configuration(folder, partitions)
        _start_daemons(folder, running)
        slurm = OwnSlurm(folder)
        _wait_until_idle(slurm, running)
        yield slurm
    finally:
        _cancel_jobs()
        for daemon in reversed(running):
            _end(daemon)
        signal.signal(signal.SIGTERM, before)
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(folder: Path, partitions: Sequence[str]) -> None:
    node = socket.gethostname().split(".")[0]
    controller_port, node_port = _find_ports(2)
    for name in ("controller", "node", "munge"):
        (folder / name).mkdir()
    cards = [folder / f"card{number}" for number in range(CARDS)]
    for card in cards:
        os.mknod(card, 0o666 | stat.S_IFCHR, NULL_DEVICE)
    prolog = folder / "note-card"
    prolog.write_text(f'#!/bin/sh\necho "$SLURM_JOB_ID $CUDA_VISIBLE_DEVICES" >> {folder}/granted.txt\n')
    prolog.chmod(0o755)
    lines = {
        "ClusterName": "own",
        "SlurmctldHost": f"{node}(127.0.0.1)",
        "SlurmUser": "root",
        "SlurmctldPort": controller_port,
        "SlurmdPort": node_port,
        "AuthType": "auth/munge",
        # A requeued job waits until its old credential is void: two minutes, were nothing said.
        "AuthInfo": f"socket={folder}/munge/socket,cred_expire=60",
        "StateSaveLocation": folder / "controller",
        "SlurmdSpoolDir": folder / "node",
        "SlurmctldPidFile": folder / "controller.pid",
        "SlurmdPidFile": folder / "node.pid",
        "SlurmctldLogFile": folder / "controller.log",
        "SlurmdLogFile": folder / "node.log",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "TaskProlog": prolog,
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "SchedulerParameters": "batch_sched_delay=0,sched_interval=5",
        "AccountingStorageType": "accounting_storage/none",
        "JobCompType": "jobcomp/filetxt",
        "JobCompLoc": folder / "jobs.txt",
        "MpiDefault": "none",
        "MailProg": "/bin/true",
        "GresTypes": "gpu",
        "KillWait": 5,
        "ReturnToService": 2,
        # Only with this may a node have more processors than the machine.
        "SlurmdParameters": "config_overrides",
        "NodeName": f"{node} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MB} Gres=gpu:{CARDS} State=UNKNOWN",
    }
    told = [
        f"PartitionName={name} Nodes={node} Default={'YES' if name == partitions[0] else 'NO'} MaxTime=2-0 State=UP"
        for name in partitions
    ]
    text = "\n".join([OURS, *(f"{key}={value}" for key, value in lines.items()), *told])
    CONFIGURATION.mkdir(exist_ok=True)
    (CONFIGURATION / "slurm.conf").write_text(text + "\n")
    (CONFIGURATION / "gres.conf").write_text(f"{OURS}\nName=gpu File={folder}/card[0-{CARDS - 1}]\n")


def _find_ports(count: int) -> list[int]:
    """Ports that are free on this machine now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _start_daemons(folder: Path, running: list[subprocess.Popen[bytes]]) -> None:
    """All in the foreground, as children of this process: so that they are known by their number."""
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    os.chown(folder / "munge", 0, 0)
    places = {name: folder / "munge" / name for name in ("socket", "log", "pid", "seed")}
    munged = [
        f"--key-file={key}",
        f"--socket={places['socket']}",
        f"--log-file={places['log']}",
        f"--pid-file={places['pid']}",
        f"--seed-file={places['seed']}",
    ]
    for command in (["munged", "--foreground", "--force", *munged], ["slurmctld", "-D"], ["slurmd", "-D"]):
        program = shutil.which(command[0], path=_search_path())
        with (folder / f"{command[0]}.said").open("wb") as said:
            # A session of its own: Ctrl-C ends the block first, and the daemons after it.
            running.append(
                subprocess.Popen([str(program), *command[1:]], stdout=said, stderr=said, start_new_session=True)
            )
        if command[0] == "munged":
            _wait_for(places["socket"].exists, "munged", running)


def _wait_until_idle(slurm: OwnSlurm, running: list[subprocess.Popen[bytes]]) -> None:
    def is_idle() -> bool:
        asked = subprocess.run(["sinfo", "--noheader", "--format=%T"], text=True, capture_output=True)
        return asked.returncode == 0 and set(asked.stdout.split()) == {"idle"}

    try:
        _wait_for(is_idle, "an idle node", running)
    except RuntimeError as error:
        said = "".join(path.read_text() for path in sorted(slurm.folder.glob("*.said")))
        raise RuntimeError(f"{error}\n{said}") from None


def _wait_for(condition: Callable[[], bool], what: str, running: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > until or any(one.poll() is not None for one in running):
            raise RuntimeError(f"own Slurm: waited for {what} in vain")
        time.sleep(0.1)


def _cancel_jobs() -> None:
    """Jobs outlive the daemons, so they are ended first."""

    def ask(*words: str) -> str:
        return subprocess.run(words, text=True, capture_output=True).stdout

    until = time.monotonic() + READY_SECONDS
    while (left := ask("squeue", "--noheader", "--format=%i").split()) and time.monotonic() < until:
        ask("scancel", *left)
        time.sleep(0.5)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(timeout=20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def main() -> int:
    try:
        with start_slurm():
            return subprocess.run(sys.argv[1:]).returncode
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
