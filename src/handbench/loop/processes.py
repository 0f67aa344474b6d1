"""Several processes that train one network together: which frames are whose, what all of them know, what they draw.

Each holds every n-th frame. Numbers that belong to the frames of a batch are drawn for the whole batch by each process,
from generators that are all in one state, and each keeps those of its own frames: no two processes draw alike, and
together they draw what one process alone would. What torch draws by itself (dropout) comes from its own generator,
which starts elsewhere in each process, so that it differs between them, and from one process alone.

All of them ask for the same things in the same order. A process by itself asks nobody.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.distributed as dist
from jaxtyping import Float, Int64
from torch import Tensor

_APART = 7_368_787
"""The seeds of two processes' own generators lie this far apart."""
_together: dict[torch.device, torch.Generator] = {}
"""In the same state in all processes, one for each device that is drawn on."""
_seed = 0


def count() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own() -> int:
    """Which of them this one is; 0 is the one that writes."""
    return dist.get_rank() if count() > 1 else 0


def take_own(values: Tensor) -> Tensor:
    """Of something for every frame what belongs to the frames of this process."""
    return values[own() :: count()]


def join(values: Tensor) -> Tensor:
    """The opposite: of all frames, in their order, from what each process has of its own."""
    if count() == 1:
        return values
    parts = _collect(values)
    joined = values.new_empty(sum(map(len, parts)), *values.shape[1:])
    for place, part in enumerate(parts):
        joined[place :: count()] = part
    return joined


def chain(values: Tensor) -> Tensor:
    """What all have, one process after the other: of any length each."""
    return values if count() == 1 else torch.cat(_collect(values))


def total(number: int) -> int:
    """The sum over all processes."""
    if count() == 1:
        return number
    summed = torch.tensor(number)
    dist.all_reduce(summed)
    return int(summed)


def mean(values: Tensor) -> float:
    """Of all frames, each process having those of its own."""
    if count() == 1:
        return float(values.mean())
    summed = torch.tensor([float(values.double().sum()), float(values.numel())], dtype=torch.float64)
    dist.all_reduce(summed)
    return float(summed[0] / summed[1])


def average(numbers: list[float]) -> list[float]:
    """Each over the processes, which count alike."""
    if count() == 1:
        return numbers
    summed = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(summed)
    return (summed / count()).tolist()


def agree(found: bool) -> bool:
    """What the first process has found."""
    if count() == 1:
        return found
    told = torch.tensor(found)
    dist.broadcast(told, src=0)
    return bool(told)


def seed(number: int) -> None:
    """Both kinds of generators anew; of a process by itself torch's own is the one that everything is drawn from."""
    global _seed
    torch.manual_seed(number + _APART * own())
    _seed = number
    _together.clear()


def rand(frames: int, *shape: int, device: torch.device, whole: bool = False) -> Float[Tensor, "frames *shape"]:
    """Numbers in [0, 1) for so many frames of a batch, of which this process has as many as each other.

    `whole`: these are all the frames that there are, and every process draws the same.
    """
    return _draw(torch.rand, (frames, *shape), device, whole)


def randn(frames: int, *shape: int, device: torch.device, whole: bool = False) -> Float[Tensor, "frames *shape"]:
    """The same of normal deviates."""
    return _draw(torch.randn, (frames, *shape), device, whole)


def randint(below: int, frames: int, *, device: torch.device, whole: bool = False) -> Int64[Tensor, "frames"]:
    """The same of whole numbers."""
    return _draw(partial(torch.randint, below), (frames,), device, whole)


def _draw(call: Callable[..., Tensor], size: tuple[int, ...], device: torch.device, whole: bool) -> Tensor:
    if count() == 1:
        return call(size, device=device)
    if device not in _together:
        _together[device] = torch.Generator(device).manual_seed(_seed)
    frames, *shape = size
    each = call((frames if whole else frames * count(), *shape), device=device, generator=_together[device])
    return each if whole else each[own() * frames : (own() + 1) * frames]


def _collect(values: Tensor) -> list[Tensor]:
    """What each process has, in their order."""
    lengths = [0] * count()
    dist.all_gather_object(lengths, len(values))
    # Shorter ones are filled up: all send alike.
    filled = values.new_zeros(max(lengths), *values.shape[1:])
    filled[: len(values)] = values
    parts = [torch.empty_like(filled) for _ in lengths]
    dist.all_gather(parts, filled)
    return [part[:length] for part, length in zip(parts, lengths, strict=True)]
