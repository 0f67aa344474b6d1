"""How long hand and object take together (feedback19, Sec. 6.5): each part of Algorithm 1, and all of it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from handbench.geometry.spatial_transformer import resample_depth
from handbench.loop.crop_data import Data, as_batch
from handbench.loop.hand_object_iteration import HandObjectLoop, Side, Step, look
from handbench.loop.held_data import held_of
from handbench.loop.timing import Call, Images, time_network


@torch.no_grad()
def probe_held(loop: HandObjectLoop, data: Data) -> dict[str, Any]:
    """Times of a frame in batches of several sizes."""
    one = {name: values[:1] for name, values in data.items()}
    return {"frames": len(data["depth"]), **time_network(loop, partial(list_parts, one), one["depth"].float())}


def list_parts(one: Data, loop: HandObjectLoop, images: Images) -> dict[str, Call]:
    """What is timed; networks of hand and object one after the other, patches as they come out of D."""
    many = {name: repeat(values.to(images.device), len(images)) for name, values in one.items()}
    crops, held = as_batch({**many, "depth": images}), held_of(many)
    sides: tuple[Side, ...] = (loop.hand, loop.object)
    step = Step(loop.hand.start(crops, held), loop.object.start(crops, held))
    placed = (step.hand, step.object)
    patches = [resample_depth(crops.depth, crops.frame, one.frame) for one in placed]
    merged = loop.draw_merged(step, crops.frame, held)
    seen = [look(crops, merged, one.frame) for one in placed]
    each = tuple(zip(sides, placed, patches, seen, strict=True))
    return {
        "localizer": run_all([partial(side.localizer, crops.depth) for side in sides]),
        "predictor": run_all([partial(side.predictor, patch) for side, _, patch, _ in each]),
        "synthesizer": run_all([partial(side.drawer, at.points, at.frame, held) for side, at, _, _ in each]),
        "updater": run_all([partial(side.updater, *two) for side, _, _, two in each]),
        "loop": partial(loop, crops, held),
    }


def run_all(calls: Sequence[Call]) -> Call:
    """One after the other."""
    return lambda: [call() for call in calls]


def repeat(values: Tensor, times: int) -> Tensor:
    """The only row so many times."""
    return values.expand(times, *values.shape[1:]).contiguous()
