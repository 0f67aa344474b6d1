"""A walk between two frames of a person's own, or of a crop store: what `handbench walk` does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.datasets.own_frames import list_own_files, name_frames
from handbench.datasets.own_hand import choose_reach
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.geometry.patch_frame import points_to_mm
from handbench.loop.latent_walk import Walk, walk_between
from handbench.networks.crossing import CrossingNets
from handbench.report.own_prediction import make_model, name_source, read_file
from handbench.report.walk_pictures import write_walk
from handbench.training.checkpoint import Checkpoint
from handbench.training.handed_on import load_any
from handbench.training.latent_pictures import WITH_LATENTS, show_points
from handbench.training.picture_file import WalkPictures, as_levels
from handbench.training.predict import check_store

NAME = "walk"


@dataclass(frozen=True)
class Between:
    """What the command line says of both files, as `handbench predict` takes it."""

    camera: Sequence[str] | None = None
    centre: Sequence[float] | None = None
    cube: float | None = None
    near: float | None = None
    far: float | None = None


@dataclass(frozen=True)
class Ends:
    """Two crops."""

    names: tuple[str, str]
    rows: tuple[int, int]
    depth: Float[Tensor, "2 1 size size"]
    centre_mm: Float[Tensor, "2 3"]
    cube_mm: Float[Tensor, "2"]


def walk_between_files(folder: Path, files: Sequence[Path], out: Path, told: Between) -> str:
    """From the hand in one file to that in another."""
    checkpoint = load_any(folder)
    network = find_networks(checkpoint)
    model = make_model(checkpoint, told.cube)
    source = name_source(model, told.camera, told.centre)
    if told.centre and not told.near == told.far is None:
        fix = "leave --near and --far out: a ready crop holds the hand already"
        raise BadInput("walk", expected="--near and --far, or --centre", found="both", fix=fix)
    model.check_source(source)
    reach = choose_reach(told.near, told.far)
    paths = list_own_files(files)
    if len(paths) != 2:
        raise BadInput("walk", expected="two depth images", found=f"{len(paths)}", fix="name files, not folders")
    crops = [model.find_hand(read_file(path, model, source), source, reach) for path in paths]
    model.warn(source)
    first, last = name_frames(paths)
    ends = Ends(
        (first, last),
        (0, 1),
        torch.from_numpy(np.stack([crop.depth for crop in crops])[:, None]),
        torch.from_numpy(np.stack([crop.centre_mm for crop in crops])),
        torch.tensor([crop.cube_mm for crop in crops], dtype=torch.float32),
    )
    return _write(network, checkpoint, ends, out)


def walk_between_rows(folder: Path, store: Path, rows: Sequence[int], out: Path) -> str:
    """From one frame of a crop store to another, by their places in the published list."""
    checkpoint = load_any(folder)
    network = find_networks(checkpoint)
    crops = open_crops(store=store, joints="scored")
    check_store(checkpoint.card, crops)
    known = np.asarray(crops.store.row)
    places = [np.flatnonzero(known == row) for row in rows]
    if lacks := [row for row, place in zip(rows, places, strict=True) if not len(place)]:
        found = ", ".join(map(str, lacks))
        raise BadInput(
            store, expected=f"rows from {known.min()} to {known.max()}", found=found, fix="name two of these"
        )
    one, other = (crops[int(place[0])] for place in places)
    both = {key: torch.stack([one[key], other[key]]) for key in ("depth", "centre_mm", "cube_mm")}
    names = f"frame {rows[0]}", f"frame {rows[1]}"
    return _write(network, checkpoint, Ends(names, (rows[0], rows[1]), **both), out)


def find_networks(checkpoint: Checkpoint) -> CrossingNets:
    """The networks of a checkpoint that has a latent space."""
    trained = checkpoint.trained
    if trained.kind != WITH_LATENTS:
        fix = "name another folder"
        raise BadInput(checkpoint.folder, expected=f"a checkpoint of {WITH_LATENTS}", found=trained.kind, fix=fix)
    network = trained.build()
    assert isinstance(network, CrossingNets), "the networks of this kind"
    return network


def _write(network: CrossingNets, checkpoint: Checkpoint, ends: Ends, out: Path) -> str:
    card, name = checkpoint.card, checkpoint.name
    walk = walk_between(network, ends.depth, ends.centre_mm, ends.cube_mm)
    if not all(bool(one.isfinite().all()) for one in (walk.joints, walk.drawn)):
        fix = "train it again: its training diverged"
        raise BadInput(name, expected="finite poses and images", found="NaN or infinity", fix=fix)
    joints, (first, last) = scored_skeleton(card["dataset"]), ends.names
    pictures = WalkPictures(
        np.array(ends.rows, np.int64), as_levels(ends.depth[:, 0].float().numpy()), **show_points(walk, network.told)
    )
    words = {
        "title": f"{name}: from {first} to {last}",
        "heading": f"{first} to {last}",
        "stamp": f"{len(walk.joints)} points between the latents of {first} and {last} | model: {name}, "
        f"trained on {card['dataset']} ({card['source']} data), seed {card['seed']}",
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_walk(pictures, joints, list_joints(walk, joints.names), out / NAME, **words)
    except OSError as error:
        found = error.strerror or str(error)
        raise BadInput(out, expected="a folder that can be written", found=found, fix="choose another --out") from error
    steps = walk.steps_mm
    return f"{name}: {len(walk.joints)} points, steps of {steps.min():.1f} to {steps.max():.1f} mm, in {out}"


def list_joints(walk: Walk, names: Sequence[str]) -> pd.DataFrame:
    """point, joint, x_mm, y_mm, z_mm, step_mm: camera millimetres, and how far the point lies from the one before."""
    points = len(walk.joints)
    joints_mm = points_to_mm(walk.joints[:, : len(names)], walk.frame).numpy()
    steps_mm = np.concatenate([[np.nan], walk.steps_mm.numpy()])
    told = {"point": np.repeat(np.arange(1, points + 1), len(names)), "joint": list(names) * points}
    told |= {f"{axis}_mm": joints_mm[..., place].ravel() for place, axis in enumerate("xyz")}
    return pd.DataFrame(told | {"step_mm": steps_mm.repeat(len(names))})
