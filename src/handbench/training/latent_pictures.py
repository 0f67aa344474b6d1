"""Pictures of a module with a latent space: test frames by way of it (crossing, Fig. 5), and a walk in it (Fig. 1)."""

from dataclasses import replace

import numpy as np
import torch

from handbench.datasets.torch_dataset import CropDataset
from handbench.fitting.walk_probe import SeenWalk, see_first_walk
from handbench.geometry.patch_frame import points_to_mm, project_points
from handbench.loop.crop_data import apply, device_of, find_labelled, gather
from handbench.loop.labelled_share import take_all_joints
from handbench.loop.latent_walk import Walk
from handbench.methods import Trained
from handbench.networks.crossing import CrossingNets
from handbench.training.picture_file import Pictures, WalkPictures, as_levels
from handbench.training.pictures import assemble, choose_even, take

WITH_LATENTS = "crossing.estimator"
"""The kind whose networks have a latent space that is shared by poses and images."""
FRAMES = 6
RECONSTRUCTION, ESTIMATE = "reconstruction", "estimate"


def take_latent_pictures(trained: Trained, crops: CropDataset, learned: CropDataset) -> Pictures:
    """Of frames at even distances the pose by way of its own latents, Dec(Enc(y)), and the estimate, Dec(pos(x)).

    Each with the image that is drawn of its latents; and the first walk of the probe.
    """
    network = trained.build()
    assert isinstance(network, CrossingNets), "the networks of this kind"
    whole = take_all_joints(crops)
    data, places = gather(whole), whole.places[find_labelled(whole).numpy()]
    choice = choose_even(len(places), FRAMES)
    shown = take(data, choice.places)
    device = device_of(network)
    with torch.no_grad():
        latents = {
            RECONSTRUCTION: network.vae.encode(shown["joints"].to(device)).centre(),
            ESTIMATE: network.estimate(shown["depth"].float().to(device)),
        }
        poses = {name: network.decode(z)[:, : network.told].cpu() for name, z in latents.items()}
        drawn = [apply(network.route, z)[:, 0] for z in latents.values()]
    rows = np.asarray(crops.store.row)[places[choice.places.numpy()]].astype(np.int64)
    told = {**shown, "joints": shown["joints"][:, : network.told]}
    pictures = assemble(rows, choice.words, poses, drawn, told)
    return replace(pictures, walk=picture_walk(see_first_walk(network, crops, learned), network.told))


def picture_walk(seen: SeenWalk, told: int) -> WalkPictures:
    return WalkPictures(
        rows=np.array(seen.rows, np.int64),
        camera=as_levels(seen.camera[:, 0].numpy()),
        rendered=as_levels(seen.rendered[:, 0].numpy()),
        **show_points(seen.walk, told),
    )


def show_points(walk: Walk, told: int) -> dict[str, np.ndarray]:
    """Images and poses of the points, as pictures have them; of the joints those that are told."""
    joints, frame = walk.joints[:, :told], walk.frame
    pixels = project_points(points_to_mm(joints, frame), frame.focal_px, frame.principal_px)
    return {
        "drawn": as_levels(walk.drawn[:, 0].numpy()),
        "poses_px": torch.cat([pixels, joints[..., 2:]], dim=-1).numpy(),
        "cube_mm": frame.cube_mm.numpy(),
    }
