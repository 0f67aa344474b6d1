"""Rendered hands of decoded joints against the crops of hands that were drawn with their forearms."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.conventions import DATASETS
from handbench.datasets.crops import build_crops
from handbench.datasets.hand_in_scene import set_scene
from handbench.datasets.listing import Listing
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.fitting.posed_depth import ARM_ALONE, draw_posed, fit_cubed_hand
from handbench.fitting.walk_probe import WALKS, find_cubed_hand, pair_frames, probe_walks, see_first_walk, see_walk
from handbench.geometry.patch_frame import frame_cube
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.sampling import sample_sequence
from handbench.hand.skeleton import REFERENCE_SHAPE, HandShape, vary_shape
from handbench.hand.skinning import Skin, make_skin
from handbench.networks.crossing import CrossingNets
from handbench.networks.depth_gan import Alignment, Discriminator, Generator, RenderRoute
from handbench.networks.pose_vae import PoseVae
from handbench.rendering.zbuffer import render_layers

FRAMES, SIZE_PX = 24, 64
SMALL = vary_shape(REFERENCE_SHAPE, size=250 / 300)


def draw(poses: np.ndarray, shape: HandShape, skin: Skin, path: Path) -> np.ndarray:
    hand, around = set_scene(skin, shape, poses[int(path.stem[-4:])], ARM_ALONE, 700.0, 0.0)
    return render_layers([hand, *around], DATASETS["nyu"].camera)[0]


@pytest.fixture(scope="module", params=["test_1", "test_2"])
def crops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CropDataset:
    """Hands in cubes of 300 mm, and as much smaller ones in cubes of 250."""
    shape = REFERENCE_SHAPE if request.param == "test_1" else SMALL
    poses = sample_sequence(np.random.default_rng(3), 10 * FRAMES, POSE_RANGES["nyu"], shape, (0.55, 0.41))[::10]
    listing = Listing(
        convention=DATASETS["nyu"],
        split="test",
        root=Path("/nowhere"),
        names=tuple(f"image_{row:04d}.png" for row in range(FRAMES)),
        subjects=(request.param,) * FRAMES,
        sequences=("one",) * FRAMES,
        joints_mm=keypoint_positions(KEYPOINTS["nyu"], shape, poses).astype(np.float32),
        read_depth=partial(draw, poses, shape, make_skin(shape, 7.0)),
    )
    store = tmp_path_factory.mktemp("crops") / "test"
    build_crops(listing, centre="com", size_px=SIZE_PX, out=store)
    return open_crops(store=store, joints="scored")


def test_the_hand_of_the_labels_covers_the_hand_that_was_seen(crops: CropDataset) -> None:
    whole = CropDataset(crops.store, crops.places, range(36))
    tensors = whole.tensors()
    cubed = fit_cubed_hand(tensors["joints"], 300.0, KEYPOINTS["nyu"])
    frame = frame_cube(tensors["centre_mm"], tensors["cube_mm"], SIZE_PX)
    drawn = draw_posed(cubed, tensors["joints"], frame)
    off, nothing = (float((one - tensors["depth"]).abs().mean()) for one in (drawn, torch.ones_like(drawn)))
    assert off < 0.2 * nothing
    seen, covered = tensors["depth"] < 1, drawn < 1
    assert float((seen & covered).sum() / (seen | covered).sum()) > 0.85
    inside = seen & covered
    assert float((drawn - tensors["depth"])[inside].abs().median()) < 0.03, "under five millimetres"


def test_joints_of_other_frames_are_other_hands(crops: CropDataset) -> None:
    tensors = CropDataset(crops.store, crops.places, range(36)).tensors()
    cubed = fit_cubed_hand(tensors["joints"], 300.0, KEYPOINTS["nyu"])
    frame = frame_cube(tensors["centre_mm"], tensors["cube_mm"], SIZE_PX)
    own, other = (draw_posed(cubed, joints, frame) for joints in (tensors["joints"], tensors["joints"].roll(7, 0)))
    errors = [float((one - tensors["depth"]).abs().mean()) for one in (own, other)]
    assert errors[1] > 2 * errors[0]


def test_walks_lead_half_the_list_away() -> None:
    assert pair_frames(40) == [(2 * walk, 2 * walk + 20) for walk in range(WALKS)]
    assert pair_frames(5) == [(0, 2), (1, 3)]
    assert pair_frames(2) == [(0, 1)]
    with pytest.raises(BadInput, match="expected at least two test frames, found 1"):
        pair_frames(1)


def test_a_probe_of_walks(crops: CropDataset) -> None:
    route = RenderRoute(Alignment(seed=1), Generator(SIZE_PX, seed=2))
    network = CrossingNets(PoseVae(36, 11, seed=0), route, Discriminator(SIZE_PX, seed=3), 14).eval()
    whole = CropDataset(crops.store, crops.places, [*crops.store.scored, *set(range(36)) - set(crops.store.scored)])
    network.vae.start_at(whole.joints)
    walks = probe_walks(network, crops, crops)
    assert [(one["from"], one["to"]) for one in walks] == pair_frames(FRAMES)
    assert {(len(one["steps_mm"]), len(one["depth_error"])) for one in walks} == {(49, 50)}
    seen = see_first_walk(network, crops, crops)
    assert seen.rendered.shape == seen.walk.drawn.shape == (50, 1, SIZE_PX, SIZE_PX)
    expected = (seen.walk.drawn[17] - seen.rendered[17]).abs().mean()
    assert walks[0]["depth_error"][17] == pytest.approx(float(expected))
    background = (1 - seen.rendered[17]).abs().mean()
    assert walks[0]["background_error"][17] == pytest.approx(float(background))
    second = see_walk(network, crops, find_cubed_hand(crops), *pair_frames(len(crops))[1])
    other = (seen.walk.drawn[17] - second.rendered[17]).abs().mean()
    assert walks[0]["other_error"][17] == pytest.approx(float(other))
    # An untrained decoder gives the mean pose, in whose picture there is a hand.
    assert 0.02 < float((seen.rendered < 1).float().mean()) < 0.6


def test_a_hand_needs_labels(crops: CropDataset) -> None:
    bare = CropDataset(crops.store, crops.places, crops.store.scored)
    labels = np.array(bare.store.joints_mm)
    labels[:, 3] = np.nan
    bare.store.__dict__["joints_mm"] = labels
    with pytest.raises(BadInput, match="expected labelled frames, found none"):
        find_cubed_hand(bare)
