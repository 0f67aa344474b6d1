"""What `handbench refine` does: a model adapts itself to one's own hand and sensor from unlabelled frames."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from handbench.conventions import HANDS, SEEN, Camera
from handbench.datasets.frame_crop import Crop
from handbench.datasets.lock import hold_alone
from handbench.datasets.own_frames import Intrinsics, list_own_files, read_own_frame
from handbench.datasets.own_hand import Reach, crop_own_block
from handbench.digest import stage_digest
from handbench.errors import BadInput
from handbench.loop.crop_data import Data, Division, apply, as_batch
from handbench.loop.descent import count_steps
from handbench.loop.refinement_training import Look, RefinementTraining, divide_hidden
from handbench.methods import keep_parts
from handbench.methods.refine import find_radius, weigh_losses
from handbench.modules import check_settings
from handbench.networks.crop_view import draw_posed
from handbench.networks.refine import RefinedHand
from handbench.refine_modules import RefineAdapted
from handbench.report.own_model import place_own_crops
from handbench.report.refinement_picture import BeforeAfter, draw_before_after
from handbench.sealed import SEAL, seal
from handbench.training.checkpoint import Checkpoint, save_checkpoint
from handbench.training.fit import Fit
from handbench.training.handed_on import load_any

KIND, BASE, MODULE = "refine.adapted", "refine.base", "refined"
FEWEST_FRAMES = 20
PATIENCE = 2
"""Epochs in a row that may not lower the loss of the frames held back."""
SHOWN = 6
NAMED = 5
"""Files that are named of those whose cubes are in doubt."""
USUAL_MM = (170.0, 250.0)
"""Between these lies the median edge of the blocks of grown hands: 212 to 214 mm in the embedded sets without arms."""
DEFAULTS: dict[str, Any] = {
    "epochs": 30,
    "batch": 50,
    "learning_rate": 0.0001,
    "cloud_rate_mm": 0.1,
    "augmentation": {"scale": 0.0, "shift_mm": 0.0, "turn_deg": 0.0},
}
"""Of the settings of refine.adapted: a few hundred frames are no fifty thousand."""
PICTURE = "before-after.png"


@dataclass(frozen=True)
class OwnFrames:
    """The crops of all files, which of them are held back, and what was left out."""

    division: Division
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    doubts: Mapping[Path, str]
    """Of the frames whose cube may not hold the whole hand: why."""

    @property
    def digest(self) -> str:
        whole = hashlib.sha256()
        for part in (self.division.seen, self.division.held_back):
            whole.update(part["depth"].numpy().tobytes())
        return whole.hexdigest()


def refine_frames(
    paths: Sequence[Path],
    model: Path,
    intrinsics: Intrinsics,
    out: Path,
    *,
    reach: Reach,
    cube_mm: float | None = None,
    values: Mapping[str, Any] | None = None,
    seed: int = 0,
    allow_skips: int = 0,
) -> str:
    """Adapt the model to the frames and leave a checkpoint in `out` that `handbench predict` takes, with a picture."""
    base = load_base(model)
    settings = check_settings(KIND, DEFAULTS | dict(values or {}))
    assert isinstance(settings, RefineAdapted)
    frames = read_frames(paths, intrinsics, base.card["size_px"], reach, cube_mm, allow_skips)
    with hold_alone(out):
        torch.manual_seed(seed)
        hand = base.trained.build().cpu()
        assert isinstance(hand, RefinedHand)
        shown = choose_shown(frames)
        look = Look(find_radius(base.trained))
        before = draw(hand, shown, look)
        seen = frames.division.seen
        steps = count_steps(len(seen["depth"]), settings.epochs, settings.batch)
        measure = weigh_losses(settings, look)
        training = RefinementTraining(hand, settings, steps, measure, frames.division.held_back, patience=PATIENCE)
        card = describe(base, settings, frames, seed)
        fit = Fit(seed, out, lambda metrics, epoch: None, key=str(seal(card)[SEAL])[:16])
        fit.fit(training, seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
        training.take_best()
        save_checkpoint(out, keep_parts([hand]), card | {"converged": fit.converged}, parts=[base])
        draw_before_after(shown_pictures(frames.names, shown, before, draw(hand, shown, look)), out / PICTURE)
        fit.forget()
    return tell(training, frames, out)


def load_base(folder: Path) -> Checkpoint:
    """A base network as it is, or as an earlier refinement has left it."""
    checkpoint = load_any(folder)
    kind = checkpoint.card["kind"]
    if kind == BASE:
        return checkpoint
    if kind != KIND:
        fix = "name the folder of a training of refine.base, or of an earlier refinement"
        raise BadInput(folder, expected="a model of refine", found=kind, fix=fix)
    (part,) = checkpoint.trained.parts
    return Checkpoint(checkpoint.folder, checkpoint.card["parts"][0], part.state)


def read_frames(
    paths: Sequence[Path],
    intrinsics: Intrinsics,
    size_px: int,
    reach: Reach,
    cube_mm: float | None,
    allow_skips: int,
) -> OwnFrames:
    """The hand of every file, without a label; the last of them are held back."""
    # A frame that came twice could be learned from and held back.
    files = tuple({file.resolve(): file for file in list_own_files(paths)}.values())
    convention = HANDS if cube_mm is None else replace(HANDS, cube_mm={"": cube_mm})
    crops: list[Crop] = []
    cameras: list[Camera] = []
    names: list[str] = []
    skipped: list[str] = []
    reasons: list[str] = []
    doubts: dict[Path, str] = {}
    for file in files:
        try:
            frame = read_own_frame(file, intrinsics)
            crops.append(crop_own_block(frame, convention, size_px, reach))
        except BadInput as refusal:
            if len(skipped) >= allow_skips:
                raise
            print(f"skipped: {refusal}", flush=True)
            skipped.append(file.name)
            reasons.append(f"expected {refusal.expected}, found {refusal.found}")
            continue
        if crops[-1].note:
            doubts[file] = crops[-1].note
        cameras.append(frame.camera)
        names.append(file.stem)
    if len(crops) < FEWEST_FRAMES:
        skips = f" beside {len(skipped)} that were left out (the first: {reasons[0]})" if skipped else ""
        raise BadInput(
            paths[0] if paths else "frames",
            expected=f"at least {FEWEST_FRAMES} frames of one hand; some hundreds in many poses are better",
            found=f"{len(crops)}{skips}",
            fix="mend what they were left out for" if len(files) >= FEWEST_FRAMES else "record more",
        )
    # One pair of focal lengths and one principal point: images may differ in size alone.
    batch = place_own_crops(crops, cameras[0])
    data = {name: getattr(batch, name) for name in ("depth", "joints", "centre_mm", "cube_mm", "focal_px")}
    data["principal_px"] = batch.principal_px
    tell_doubts(doubts, len(names))
    tell_size(batch.cube_mm)
    return OwnFrames(divide_hidden(data, "frames"), tuple(names), tuple(skipped), doubts)


def tell_size(cube_mm: Float32[Tensor, "frames"]) -> None:
    """Where hands look larger or smaller than grown hands are: nothing else shows wrong focal lengths."""
    usual, least, most = float(cube_mm.median()), *USUAL_MM
    if not least <= usual <= most:
        print(
            f"blocks around the hands have an edge of {usual:.0f} mm at the median, those of grown hands {least:.0f} "
            f"to {most:.0f}: are the numbers of --intrinsics those of these images, and the arms cut away?",
            flush=True,
        )


def tell_doubts(doubts: Mapping[Path, str], frames: int) -> None:
    """Of every reason how many frames have it, and the first of them."""
    for reason, number in Counter(doubts.values()).most_common():
        named = [file.name for file, doubt in doubts.items() if doubt == reason][:NAMED]
        more = ", ..." if number > len(named) else ""
        print(f"{number} of {frames} frames: {reason} ({', '.join(named)}{more})", flush=True)


def choose_shown(frames: OwnFrames) -> Data:
    """Some of the frames held back, at even distances; `place` is where they stand among all."""
    held_back = frames.division.held_back
    number = len(held_back["depth"])
    rows = torch.arange(min(SHOWN, number)) * number // min(SHOWN, number)
    first = len(frames.division.seen["depth"])
    return {name: values[rows] for name, values in held_back.items()} | {"place": rows + first}


@torch.no_grad()
def draw(hand: RefinedHand, shown: Data, look: Look) -> Float32[np.ndarray, "two frames size size"]:
    """The frames as they are splatted, and the cloud in the pose that the network sees there."""
    view = look(as_batch(shown))
    drawn = draw_posed(hand.cloud, apply(hand, shown["depth"]), view)
    images: np.ndarray = torch.stack([view.image, drawn]).numpy()
    return images


def shown_pictures(names: Sequence[str], shown: Data, before: np.ndarray, after: np.ndarray) -> list[BeforeAfter]:
    return [
        BeforeAfter(names[int(place)], before[0, row], before[1, row], after[1, row])
        for row, place in enumerate(shown["place"])
    ]


def describe(base: Checkpoint, settings: RefineAdapted, frames: OwnFrames, seed: int) -> dict[str, Any]:
    """The card of the checkpoint: as a training's, of frames that no store holds."""
    return {
        "kind": KIND,
        "module": MODULE,
        "paper": "own",
        "settings": settings.model_dump(),
        "seed": seed,
        "fold": None,
        "threads": torch.get_num_threads(),
        "dataset": HANDS.name,
        "centre": {"strategy": SEEN, "uses_ground_truth": False},
        "size_px": base.card["size_px"],
        "frames": len(frames.names),
        "joints": [HANDS.joints.names[joint] for joint in HANDS.scored],
        "store": "own frames",
        "sha256_of_store": frames.digest,
        "source": "real",
        "poses": None,
        "needs": [{"module": base.card["module"], "path": base.folder.as_posix(), "sha256": base.card["sha256"]}],
        "sources": stage_digest("refine"),
    }


def tell(training: RefinementTraining, frames: OwnFrames, out: Path) -> str:
    """What became of it, in one line."""
    held_back, epoch, skipped = len(frames.division.held_back["depth"]), training.best["epoch"], len(frames.skipped)
    left_out = f", {skipped} skipped" if skipped else ""
    left_out += f", {len(frames.doubts)} in doubt" if frames.doubts else ""
    if epoch < 0:
        return (
            f"{out}: no epoch lowered the loss of the {held_back} frames held back{left_out}; the model is as it was. "
            "Record more poses, lower --set learning_rate, or mirror the frames if they show a left hand"
        )
    return (
        f"{out}: loss of {held_back} frames held back {training.start_loss:.4g} -> {training.best['loss']:.4g} after "
        f"{epoch + 1} epochs{left_out}; look at {PICTURE}; use it with `handbench predict --model {out}`"
    )
