"""What a module's pictures are made of: a few test frames, the poses it takes on them, and the image of each pose.

Frames are not picked by hand. Some stand at even distances; of a module that starts from a predictor come with them
those at fixed shares of the frames, ordered by the error of the predictor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handbench.conventions import BACKGROUND, JointSet
from handbench.datasets.scored_skeleton import find_tip, scored_skeleton
from handbench.datasets.torch_dataset import CropDataset
from handbench.geometry.patch_frame import project_points
from handbench.loop.crop_data import Data, apply, choose_evenly, find_labelled, gather, measure_frames_mm
from handbench.loop.impossible_poses import make_impossible
from handbench.loop.iteration import FeedbackLoop
from handbench.loop.loop_probe import COPIES, FOLLOWED_MM, follow_updates
from handbench.methods import Trained, load_method
from handbench.modules import KINDS
from handbench.training.picture_file import EVEN, Pictures, UpdatePictures, as_levels

SHARES = (0.1, 0.5, 0.9)
"""Of the frames that lie below in the error of the start: easy, median and hard ones."""
EVENLY_OF_START, EVENLY_OF_TRUTH = 7, 8
FIRST_ITERATIONS = (0, 1, 2)
"""These and the last one are shown of an iteration."""
TRUTH = "truth"
FOLLOWED = "index"
"""The finger whose tip single updates are shown of."""

Poses = Float[Tensor, "steps frames joints 3"]


@dataclass(frozen=True)
class Choice:
    """Places among the labelled frames, and how each was chosen."""

    places: Int64[Tensor, "chosen"]
    words: tuple[str, ...]


def take_pictures(trained: Trained, crops: CropDataset) -> Pictures:
    """Those of a synthesizer, or of a module that takes steps from a predictor's pose; of others the frames alone."""
    data, places = gather(crops), crops.places[find_labelled(crops).numpy()]
    draws_only = KINDS[trained.kind].gives == "synthesizer"
    synthesizer: nn.Module | None = None
    if draws_only:
        choice, synthesizer = choose_even(len(places), EVENLY_OF_TRUTH), trained.build()
    elif "synthesizer" not in KINDS[trained.kind].needs:
        choice = choose_even(len(places), EVENLY_OF_TRUTH)
    else:
        # As the module's own frames are chosen: a search does not look at all of them.
        known = choose_evenly(len(places), getattr(trained.settings, "frames", None))
        data, places = take(data, known), places[known.numpy()]
        predictor, synthesizer = (build_part(trained, part) for part in ("predictor", "synthesizer"))
        choice = choose_by_start(measure_frames_mm(apply(predictor, data["depth"]), data))
    shown, rows = take(data, choice.places), np.asarray(crops.store.row)[places[choice.places.numpy()]]
    joints = scored_skeleton(crops.store.card["protocol"]["dataset"])
    if draws_only:
        poses = {TRUTH: shown["joints"], **make_impossible(shown["joints"], joints)}
    else:
        poses = take_steps(trained, shown["depth"]) if synthesizer else {}
    drawn = [apply(synthesizer, pose)[:, 0] for pose in poses.values()] if synthesizer else []
    pictures = assemble(rows.astype(np.int64), choice.words, poses, drawn, shown)
    updates = "updater" in KINDS[trained.kind].needs
    return replace(pictures, updates=take_updates(trained, shown, joints)) if updates else pictures


def build_part(trained: Trained, part: str) -> nn.Module:
    """One of those that it is put together from."""
    return trained.parts[KINDS[trained.kind].needs.index(part)].build()


def choose_even(frames: int, wanted: int) -> Choice:
    places = choose_evenly(frames, wanted)
    return Choice(places, (EVEN,) * len(places))


def choose_by_start(start_mm: Float[Tensor, "frames"]) -> Choice:
    """A frame at each share of the order of their errors, then those at even distances that are not among them."""
    order, even = start_mm.argsort(stable=True), choose_even(len(start_mm), EVENLY_OF_START)
    at_shares = order[[round(share * (len(order) - 1)) for share in SHARES]]
    others = even.places[~torch.isin(even.places, at_shares)]
    words = tuple(f"{100 * share:.0f} %" for share in SHARES)
    return Choice(torch.cat([at_shares, others]), words + (EVEN,) * len(others))


def take(data: Data, places: Int64[Tensor, "chosen"]) -> Data:
    return {name: values[places] for name, values in data.items()}


def take_steps(trained: Trained, depth: Tensor) -> dict[str, Tensor]:
    """The poses at the start, after the first iterations, and at the end."""
    predict = load_method(trained.kind).predict
    assert predict is not None, "what starts from a predictor gives joints"
    poses = predict(trained, depth.float())
    last = len(poses) - 1
    return {str(step): poses[step] for step in sorted({*FIRST_ITERATIONS, last}) if step <= last}


def take_updates(trained: Trained, shown: Data, joints: JointSet) -> UpdatePictures:
    """Single updates from noisy poses, of the frames that stand first: an easy, a median and a hard one."""
    loop = trained.build()
    assert isinstance(loop, FeedbackLoop), "what has an updater is a loop"
    places, tip = torch.arange(min(len(SHARES), len(shown["depth"]))), find_tip(joints, FOLLOWED)
    repeated, poses = follow_updates(loop, take(shown, places))
    off_mm = (poses - repeated["joints"])[:, :, tip].norm(dim=-1) * repeated["cube_mm"] / 2
    (starts_px, ends_px), (before_mm, after_mm) = (
        values.unflatten(1, (len(places), COPIES)).numpy() for values in (project(poses, repeated)[:, :, tip], off_mm)
    )
    return UpdatePictures(joints.names[tip], FOLLOWED_MM, places.numpy(), starts_px, ends_px, before_mm, after_mm)


def assemble(
    rows: Int64[np.ndarray, "frames"],
    chosen: tuple[str, ...],
    poses: dict[str, Tensor],
    images: Sequence[Float[Tensor, "frames size size"]],
    shown: Data,
) -> Pictures:
    """Frames first, with what is to be read below each picture; `images` are drawn of the poses."""
    depth, half_mm = shown["depth"][:, 0].float(), shown["cube_mm"][:, None, None] / 2
    steps = torch.stack([*poses.values()]) if poses else shown["joints"][None][:0]
    drawn = torch.stack([*images]) if images else depth[None][:0]
    difference_mm = (drawn - depth) * half_mm
    hand = depth < BACKGROUND
    hand_mm = (difference_mm.abs() * hand).sum(dim=(2, 3)) / hand.sum(dim=(1, 2))
    image_mm = difference_mm.square().mean(dim=(2, 3)).sqrt()
    return Pictures(
        rows=rows,
        chosen=chosen,
        steps=tuple(poses),
        camera=as_levels(depth.numpy()),
        drawn=as_levels(drawn.transpose(0, 1).numpy()),
        truth_px=project(shown["joints"][None], shown)[0].numpy(),
        poses_px=project(steps, shown).transpose(0, 1).numpy(),
        pose_mm=measure_frames_mm(steps, shown).T.numpy(),
        hand_mm=hand_mm.T.numpy(),
        image_mm=image_mm.T.numpy(),
        cube_mm=shown["cube_mm"].numpy(),
    )


def project(steps: Poses, data: Data) -> Poses:
    """Column, row and depth in the patch."""
    points_mm = steps * (data["cube_mm"] / 2)[:, None, None] + data["centre_mm"][:, None]
    pixels = project_points(points_mm, data["focal_px"], data["principal_px"])
    return torch.cat([pixels, steps[..., 2:]], dim=-1).where(points_mm[..., 2:] > 0, torch.nan)
