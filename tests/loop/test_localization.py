"""Eq. 5 of feedback19: the offset by the camera's own arithmetic, its inverse, augmentation, learning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.geometry.crop import patch_to_points, points_to_patch
from handbench.loop.augmentation import CropBatch, Ranges, augment, move_cube, turn
from handbench.loop.crop_data import as_batch, divide, gather
from handbench.loop.localization import (
    find_joint_mm,
    find_offsets,
    find_points_mm,
    place_crops,
    refine_centres,
    select_joint,
)
from handbench.loop.localizer_probe import probe_localizer
from handbench.loop.localizer_training import LocalizerTraining, localizer_loss
from handbench.modules import Feedback19Localizer
from handbench.networks.localizer import Localizer
from tests.datasets.crop_fixtures import make_listing

JOINT, SIZE = "middle_root", 32


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> CropDataset:
    out = tmp_path_factory.mktemp("crops") / "com"
    build_crops(make_listing(30), centre="com", size_px=SIZE, out=out)
    return select_joint(open_crops(store=out), JOINT)


@pytest.fixture
def batch(crops: CropDataset) -> CropBatch:
    return as_batch(gather(crops))


def test_the_offset_is_that_of_the_camera(crops: CropDataset, batch: CropBatch) -> None:
    """(u - u0) / (S / 2), (v - v0) / (S / 2), (z - z0) / (edge / 2), in the pixels of the patch."""
    store, index = crops.store, crops.store.joint_names.index(JOINT)
    expected = []
    for place in range(len(store)):
        joint_mm = np.asarray(store.joints_mm[place, index], np.float64)
        cube_mm = float(store.cube_mm[place])
        u, v, d = points_to_patch(
            joint_mm, store.patch_from_image[place], store.centre_mm[place], cube_mm, store.camera
        )
        expected.append([(u - 15.5) / 16, (v - 15.5) / 16, d])
    offsets = find_offsets(batch)
    np.testing.assert_allclose(offsets.numpy(), expected, atol=1e-4)
    assert offsets.abs().max() > 0.1, "joints on the centre would pass as well"


def test_the_inverse_gives_the_label_back(crops: CropDataset, batch: CropBatch) -> None:
    index = crops.store.joint_names.index(JOINT)
    found_mm = find_points_mm(find_offsets(batch), batch)
    np.testing.assert_allclose(found_mm.numpy(), crops.store.joints_mm[:, index], atol=0.01)
    torch.testing.assert_close(find_joint_mm(batch), found_mm, atol=0.01, rtol=0)


def test_no_offset_is_the_middle_of_the_patch(batch: CropBatch) -> None:
    """Within a pixel of the crop's centre, since windows have whole pixels."""
    found_mm = find_points_mm(torch.zeros(len(batch.depth), 3), batch)
    assert ((found_mm - batch.centre_mm).abs()[:, :2] <= batch.cube_mm[:, None] / SIZE).all()
    assert torch.equal(found_mm[:, 2], batch.centre_mm[:, 2])


def test_a_moved_cube_moves_the_offset_and_not_the_joint(batch: CropBatch) -> None:
    """10 mm nearer and 20 mm to the right: d grows by 10 mm, u shrinks by the pixels that are 20 mm at that depth."""
    shift_mm = torch.tensor([20.0, 0.0, -10.0]).expand(len(batch.depth), 3)
    moved = move_cube(batch, shift_mm, torch.ones(len(batch.depth)))
    torch.testing.assert_close(find_joint_mm(moved), find_joint_mm(batch), atol=1e-3, rtol=0)
    before, after = find_offsets(batch), find_offsets(moved)
    torch.testing.assert_close(after[:, 2] - before[:, 2], 10 / (batch.cube_mm / 2), atol=1e-5, rtol=0)
    assert (after[:, 0] < before[:, 0] - 0.05).all()
    torch.testing.assert_close(find_points_mm(after, moved), find_joint_mm(batch), atol=0.01, rtol=0)


def test_a_quarter_turn_turns_the_offset(batch: CropBatch) -> None:
    turned = turn(batch, torch.full((len(batch.depth),), torch.pi / 2))
    u, v, d = find_offsets(batch).T
    torch.testing.assert_close(find_offsets(turned), torch.stack([-v, u, d], dim=1), atol=1e-4, rtol=0)


def test_offsets_and_points_agree_after_any_augmentation(batch: CropBatch) -> None:
    torch.manual_seed(0)
    moved = augment(batch, Ranges(scale=0.1, shift_mm=15.0))
    torch.testing.assert_close(find_points_mm(find_offsets(moved), moved), find_joint_mm(moved), atol=0.02, rtol=0)


def test_a_point_out_of_the_cube_moves_nothing(batch: CropBatch) -> None:
    class Far(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            answer = torch.full((len(images), 3), 0.5)
            answer[0] = torch.tensor([0.0, 0.0, -1.01])
            answer[1] = float("nan")
            return answer

    refined = refine_centres(Far(), batch)
    assert refined.moved.tolist() == [False, False] + [True] * (len(batch.depth) - 2)
    assert torch.equal(refined.centre_mm[:2], batch.centre_mm[:2])
    assert ((refined.centre_mm - batch.centre_mm)[2:, 2] > 0).all()


def test_crops_without_labels_are_placed_alike(crops: CropDataset, batch: CropBatch) -> None:
    tensors = crops.tensors()
    placed = place_crops(
        tensors["depth"], tensors["centre_mm"], tensors["cube_mm"], tensors["patch_from_image"], crops.store.camera
    )
    offsets = find_offsets(batch)
    assert torch.equal(find_points_mm(offsets, placed), find_points_mm(offsets, batch))


def test_a_joint_of_another_hand_is_one_line(crops: CropDataset) -> None:
    with pytest.raises(
        BadInput, match="joint: expected a joint of icvl, found 'F3_KNU1_A'; choose of palm, thumb_root"
    ):
        select_joint(crops, "F3_KNU1_A")


def test_frames_without_that_joint_are_left_out(tmp_path: Path) -> None:
    listing = make_listing(12)
    listing.joints_mm[3, ICVL_MIDDLE] = np.nan
    listing.joints_mm[5, 0] = np.nan
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "some")
    data = gather(select_joint(open_crops(store=tmp_path / "some"), JOINT))
    assert data["joints"].shape == (11, 1, 3)


ICVL_MIDDLE = make_listing(1).convention.joints.names.index(JOINT)


def test_the_network_overfits_a_batch_by_equation_5(crops: CropDataset) -> None:
    """Without augmentation sixteen frames are learned by heart: what stays of 100 mm offsets is a few millimetres."""
    data = divide(crops)
    settings = Feedback19Localizer(joint=JOINT, augmentation={"scale": 0.0, "shift_mm": 0.0, "turn_deg": 0.0})
    network = Localizer(SIZE, seed=0)
    training = LocalizerTraining(network, settings, 200, localizer_loss, data.seen)
    logged: dict[str, Any] = {}
    training.log = lambda name, value, **_: logged.update({name: float(torch.as_tensor(value).detach())})  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(network.parameters(), 0.001)
    batch = {name: values[:16] for name, values in data.seen.items()}
    training.held_back = batch
    training.on_train_epoch_end()
    before_mm = logged["validation_mm"]
    for step in range(200):
        optimizer.zero_grad()
        training.training_step(batch, step).backward()
        optimizer.step()
    training.on_train_epoch_end()
    assert before_mm > 30
    assert logged["validation_mm"] < 3


def test_the_loss_by_hand() -> None:
    """Two frames: 3 and 4 off make 25, and none 0; the mean is 12.5."""

    class Fixed(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])

    offsets = torch.tensor([[3.0, 4.0, 0.0], [1.0, 1.0, 1.0]])
    assert float(localizer_loss(Fixed(), torch.zeros(2, 1, 8, 8), offsets)) == 12.5


def test_the_probe_by_hand(crops: CropDataset) -> None:
    """A network that always answers the middle of the patch, a tenth of a half edge deeper."""

    class Tenth(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, 0.0, 0.1]).expand(len(images), 3)

    known = CropDataset(crops.store, crops.places[:1], [ICVL_MIDDLE])
    numbers = probe_localizer(Tenth(), crops, known)
    store = crops.store
    joint_mm, centre_mm, cube_mm = (
        np.asarray(a) for a in (store.joints_mm[:, ICVL_MIDDLE], store.centre_mm, store.cube_mm)
    )
    first_mm = np.linalg.norm(joint_mm - centre_mm, axis=1)
    np.testing.assert_allclose(numbers["frame_first_mm"], first_mm, atol=1e-2)
    assert numbers["first"]["mean_mm"] == pytest.approx(first_mm.mean(), abs=1e-2)
    assert numbers["first"]["median_mm"] <= sorted(first_mm)[15] + 1e-2
    middle = np.array([15.5, 15.5, 0.1])
    cubes = zip(store.patch_from_image, centre_mm, cube_mm.tolist(), strict=True)
    deeper_mm = np.stack([patch_to_points(middle, *cube, store.camera) for cube in cubes])
    localized_mm = np.linalg.norm(joint_mm - deeper_mm, axis=1)
    np.testing.assert_allclose(numbers["frame_localized_mm"], localized_mm, atol=0.02)
    assert numbers["localized"]["mean_mm"] == pytest.approx(localized_mm.mean(), abs=0.01)
    assert numbers["frame_shifted_mm"][0] == pytest.approx(0, abs=0.02), "the one frame known is found again"
    assert min(numbers["frame_shifted_mm"][1:]) > 1
    assert (numbers["frames"], numbers["joint"], numbers["not_moved"]) == (30, JOINT, 0)
    assert numbers["sequences"] == list(store.sequences)
    assert all(parts["localizer"] > 0 for parts in numbers["milliseconds"].values())
    assert numbers["precision"] == "float32"
