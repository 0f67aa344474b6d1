"""Training with several devices: a process for each, on one machine or several, that find one another and end together.

One command is given on every machine and starts a process for each further device there. On one machine nothing else
has to be said; of several machines each is told which it is and where the first one listens: NODE_RANK and MASTER_ADDR
(MASTER_PORT too, unless 29500 is free), which a Slurm step of one task a machine knows by itself.
"""

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist

from handbench.errors import BadInput
from handbench.loop.crop_data import find_device

LOCAL = "127.0.0.1"
PORT = 29500
PATIENCE = timedelta(minutes=10)
"""For processes to come and for one another's messages: an epoch's validation is the longest wait."""
GRACE_S = 5.0
"""After which a process that waits for a dead one is ended."""
AGAIN = "see what it said; the same command goes on from the last whole epoch"
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


@dataclass(frozen=True)
class Place:
    """Which of the processes of a training one is."""

    devices: int = 1
    """Of each machine."""
    nodes: int = 1
    node: int = 0
    device: int = 0
    address: str = LOCAL
    port: int = PORT

    @property
    def count(self) -> int:
        return self.devices * self.nodes

    @property
    def rank(self) -> int:
        return self.node * self.devices + self.device


def find_place(devices: int, nodes: int) -> Place:
    """That of the first process of this machine."""
    if torch.cuda.is_available() and torch.cuda.device_count() < devices:
        found = f"{torch.cuda.device_count()} that torch sees"
        raise BadInput("train", expected=f"{devices} GPUs", found=found, fix="name fewer --devices")
    if nodes == 1:
        return Place(devices)
    node, address = os.environ.get("NODE_RANK"), os.environ.get("MASTER_ADDR")
    if "SLURM_NODEID" in os.environ and int(os.environ.get("SLURM_STEP_NUM_NODES", "1")) == nodes:
        from pytorch_lightning.plugins.environments import SLURMEnvironment

        node = node or os.environ["SLURM_NODEID"]
        address = address or SLURMEnvironment.resolve_root_node_address(os.environ["SLURM_STEP_NODELIST"])
    if node is None or address is None or not node.isdecimal() or int(node) >= nodes:
        raise BadInput(
            "train",
            expected=f"NODE_RANK, 0 to {nodes - 1}, and MASTER_ADDR, the first machine's address",
            found=f"NODE_RANK={node or 'none'}, MASTER_ADDR={address or 'none'}",
            fix="give the command once on every machine with both set, or by `srun --ntasks-per-node=1`",
        )
    return Place(devices, nodes, int(node), 0, address, int(os.environ.get("MASTER_PORT", PORT)))


@contextmanager
def stand_together(place: Place, beside: Callable[[Place], None]) -> Iterator[None]:
    """Within the block this process is one of all; `beside` is what the others of this machine run."""
    if place.count == 1:
        yield
        return
    store = _open_store(place)
    place = replace(place, port=store.port)
    # Torch warns that a training may use all its weights; it reads this as it is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Not forked: neither CUDA nor threads survive that.
    context = multiprocessing.get_context("spawn")
    others: list[BaseProcess] = []
    for device in range(1, place.devices):
        other = context.Process(target=_run_beside, args=(replace(place, device=device), beside, os.getpid()))
        other.start()
        others.append(other)
    over, ended, environment = threading.Event(), False, dict(os.environ)
    threading.Thread(target=_watch, args=(others, place, over), daemon=True).start()
    try:
        _join(place, store)
        yield
        ended = True
    except BadInput:
        raise
    except Exception as error:
        # A dead process is told by the one that waits for it in many words, few of which help.
        if (dead := _find_dead(others, GRACE_S)) is not None:
            raise _explain(place, dead, others) from None
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            found, fix = str(error).splitlines()[0], f"look at the other machines; {AGAIN.partition('; ')[2]}"
            raise BadInput("train", expected=f"{place.count} processes until the end", found=found, fix=fix) from None
        raise
    finally:
        over.set()
        _leave(others, ended=ended)
        os.environ.clear()
        os.environ.update(environment)


def _open_store(place: Place) -> dist.TCPStore:
    """Where processes find one another; on one machine at any port that is free."""
    port, first = (0 if place.nodes == 1 else place.port), place.rank == 0
    try:
        return dist.TCPStore(place.address, port, place.count, first, PATIENCE, wait_for_workers=False)
    except (dist.DistError, RuntimeError) as error:
        found = str(error).splitlines()[0]
        fix = "mend MASTER_ADDR or MASTER_PORT"
        raise BadInput("train", expected=f"to reach {place.address}:{place.port}", found=found, fix=fix) from None


def _join(place: Place, store: dist.Store) -> None:
    # Lightning reads these; it starts no process where they are set.
    os.environ |= {
        "LOCAL_RANK": str(place.device),
        "NODE_RANK": str(place.node),
        "LOCAL_WORLD_SIZE": str(place.devices),
        "WORLD_SIZE": str(place.count),
        "MASTER_ADDR": place.address,
        "MASTER_PORT": str(place.port),
    }
    if place.nodes == 1 and "lo" in (name for _, name in socket.if_nameindex()):
        # A machine's own name does not always resolve.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with_gpu = find_device().type == "cuda"
    if with_gpu:
        torch.cuda.set_device(place.device)
    # What lies in memory goes by gloo, what lies on GPUs by NCCL.
    backend = "cpu:gloo,cuda:nccl" if with_gpu else "gloo"
    dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.count, timeout=PATIENCE)


def _run_beside(place: Place, beside: Callable[[Place], None], parent: int) -> None:
    """A process for a further device: it says nothing that the first one says, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        _join(place, dist.TCPStore(place.address, place.port, place.count, False, PATIENCE, wait_for_workers=False))
        beside(place)
    except BadInput:
        sys.exit(1)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _watch(others: list[BaseProcess], place: Place, over: threading.Event) -> None:
    """End this process where another has died and nothing tells: NCCL waits for the dead."""
    while not over.wait(1.0):
        if (dead := _find_dead(others, 0.0)) is not None and not over.wait(2 * GRACE_S):
            print(f"handbench: {_explain(place, dead, others)}", file=sys.stderr, flush=True)
            os._exit(1)


def _find_dead(others: list[BaseProcess], wait_s: float) -> int | None:
    """Which of them has ended badly, if any does within so many seconds."""
    end = time.monotonic() + wait_s
    while True:
        for place, other in enumerate(others):
            if other.exitcode:
                return place
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)


def _explain(place: Place, dead: int, others: list[BaseProcess]) -> BadInput:
    return BadInput(
        "train",
        expected=f"{place.count} processes until the end",
        found=f"process {place.rank + dead + 1} ended with status {others[dead].exitcode}",
        fix=AGAIN,
    )


def _leave(others: list[BaseProcess], *, ended: bool) -> None:
    for other in others:
        if not ended:
            other.kill()
        other.join()
    if dist.is_initialized():
        dist.destroy_process_group()
