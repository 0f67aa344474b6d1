"""Crops that several processes keep between them, each those of its own frames, and a batch's part of them for each.

A batch is drawn from all frames, as one process would draw it. Each process takes an even part, which mostly lies with
the others, so that crops are sent: of 64 patches of 128 pixels 2 MB a step between all of them, where the gradients of
the networks here have up to 60 MB. So every process has every part of the batch that one process would have it learn
from, and none has more crops in memory than its share.
"""

import torch
import torch.distributed as dist
from jaxtyping import Int64, UInt8
from torch import Tensor

from handbench.loop import processes

Data = dict[str, Tensor]


def exchange(data: Data, rows: Int64[Tensor, "batch"]) -> Data:
    """This process's part of a batch; `data` has every n-th frame, `rows` the whole batch's among all frames."""
    number, own, device = processes.count(), processes.own(), next(iter(data.values())).device
    parts = rows.view(number, -1)
    holder, place = parts % number, parts // number
    asked = [place[other][holder[other] == own] for other in range(number)]
    sent = _pack(data, torch.cat(asked).to(device))
    mine = holder[own]
    counts = torch.bincount(mine, minlength=number).tolist()
    received = sent.new_empty(len(mine), sent.shape[1])
    dist.all_to_all_single(received, sent, counts, [len(one) for one in asked])
    # They come one process after the other; each in the order of the batch.
    order = mine.argsort(stable=True).to(device)
    return _unpack(torch.empty_like(received).index_copy_(0, order, received), data)


def _pack(data: Data, rows: Int64[Tensor, "rows"]) -> UInt8[Tensor, "rows bytes"]:
    """All that is known of some frames, as bytes."""
    taken = (values.index_select(0, rows).reshape(len(rows), values[0].numel()) for values in data.values())
    return torch.cat([one.view(torch.uint8) for one in taken], dim=1)


def _unpack(packed: UInt8[Tensor, "rows bytes"], like: Data) -> Data:
    lengths = [values[0].numel() * values.element_size() for values in like.values()]
    return {
        name: part.contiguous().view(values.dtype).view(len(packed), *values.shape[1:])
        for (name, values), part in zip(like.items(), packed.split(lengths, dim=1), strict=True)
    }
