"""refine's two trainings: from rendered hands alone, from crops without a label; killed, resumed, predicted with."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.conventions import DATASETS, NYU_SCORED
from handbench.datasets.hands import SHAPE
from handbench.datasets.torch_dataset import open_crops
from handbench.datasets.truth import Truth
from handbench.errors import BadInput
from handbench.geometry.rotation import quaternion_to_rotation, rotation_to_quaternion
from handbench.hand.keypoints import KEYPOINTS, place_keypoints
from handbench.hand.kinematics import forward_kinematics, place_turned_bones
from handbench.hand.skeleton import SHAPE_FIELDS
from handbench.loop import refinement_fits
from handbench.loop.crop_data import as_batch, read_crops
from handbench.loop.refinement_probe import find_smallest_mm
from handbench.methods.refine import find_look, weigh_losses
from handbench.networks.refine import RefinedHand
from handbench.refine_modules import RefineAdapted
from handbench.training import probe as probing
from handbench.training.checkpoint import load_checkpoint
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_joints, read_quaternions
from handbench.training.probe import probe
from handbench.training.train import train
from tests.methods.deepmodel_fixtures import draw_poses
from tests.methods.killed_training import train_with_kills
from tests.methods.refine_fixtures import FITS_TOLD, SMALLER, adapted_job, base_job, make_rendered, make_target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered hands, a target's crops, a base and what it adapts to."""
    folder = tmp_path_factory.mktemp("refine")
    make_rendered(folder)
    make_target(folder, "train")
    make_target(folder, "test", 10)
    train(base_job(folder), folder / "crops", folder / "base")
    train(adapted_job(folder), folder / "train", folder / "adapted")
    return folder


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder).state


def test_the_base_learns_its_frames(place: Path, tmp_path: Path) -> None:
    told = [
        train(base_job(place, epochs=epochs, learning_rate=0.003, dropout=0.0), place / "crops", tmp_path / str(epochs))
        for epochs in (1, 30)
    ]
    first, last = (float(re.findall(r"loss ([\d.]+)", line)[0]) for line in told)
    assert last < 0.5 * first


def test_both_networks_and_cloud_are_trained_on(place: Path) -> None:
    base, adapted = state_of(place / "base"), state_of(place / "adapted")
    moved_mm = (adapted["0/cloud.points_mm"] - base["cloud.points_mm"]).norm(dim=1)
    assert 0.05 < moved_mm.mean() < 3
    assert not torch.equal(adapted["0/network.output.weight"], base["network.output.weight"])
    assert torch.equal(adapted["0/cloud.weights"], base["cloud.weights"])


def test_the_loss_without_labels_falls(place: Path, tmp_path: Path) -> None:
    train(adapted_job(place, epochs=8), place / "train", tmp_path / "longer")
    crops = open_crops(store=place / "test", joints="scored")
    told = []
    for folder in (place / "base", tmp_path / "longer"):
        hand = load_checkpoint(folder).trained.build()
        assert isinstance(hand, RefinedHand)
        measure = weigh_losses(RefineAdapted(), find_look(crops.store.card["protocol"], 0.3, hand))
        with torch.no_grad():
            told.append(float(measure(hand, as_batch(read_crops(crops)))["depth_loss"]))
    assert told[1] < 0.95 * told[0]


def test_no_label_of_the_target_has_any_influence(place: Path, tmp_path: Path) -> None:
    """With other joints in the same boxes the very same network comes out, and the same is told of it."""
    wrong = make_target(tmp_path, "train", moved_mm=40.0)
    right, other = (open_crops(store=store, joints="scored") for store in (place / "train", wrong))
    assert torch.equal(right.tensors()["depth"], other.tensors()["depth"])
    assert (right.joints - other.joints).abs().max() > 0.1
    train(adapted_job(place), wrong, tmp_path / "adapted")
    before, after = state_of(place / "adapted"), state_of(tmp_path / "adapted")
    assert all(torch.equal(before[name], after[name]) for name in before)
    cards = [
        json.loads((folder / "checkpoint.json").read_text()) for folder in (place / "adapted", tmp_path / "adapted")
    ]
    assert cards[0]["converged"] == cards[1]["converged"]


def test_depth_alone_is_another_training(place: Path, tmp_path: Path) -> None:
    train(adapted_job(place, collision_weight=0.0, physical_weight=0.0), place / "train", tmp_path / "depth")
    assert not torch.equal(
        state_of(tmp_path / "depth")["0/cloud.points_mm"], state_of(place / "adapted")["0/cloud.points_mm"]
    )


@pytest.mark.parametrize("which", ["base", "adapted"])
def test_a_killed_training_ends_with_the_same_numbers(
    which: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, store = (base_job(place), "crops") if which == "base" else (adapted_job(place), "train")
    assert train_with_kills(job, place / store, tmp_path / "killed", monkeypatch, starts=5) >= 2
    whole, killed = state_of(place / which), state_of(tmp_path / "killed")
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


@pytest.mark.parametrize("which", ["base", "adapted"])
def test_predictions_are_the_targets_joints_and_the_turns_of_bones(which: str, place: Path, tmp_path: Path) -> None:
    predict([place / which], place / "test", tmp_path / "out")
    with np.load(tmp_path / "out/predictions.npz") as arrays:
        joints_mm, quaternions = arrays["joints_mm"], arrays["quaternions"]
    assert joints_mm.shape == (10, 16, 3)
    assert quaternions.shape == (10, 16, 4)
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=-1), 1, atol=1e-5)
    assert (quaternions[..., 0] >= 0).all()
    # Whatever is predicted, the box around the joints has its middle where the crop has its own.
    centre_mm = np.asarray(open_crops(store=place / "test").store.centre_mm)
    np.testing.assert_allclose((joints_mm.min(axis=1) + joints_mm.max(axis=1)) / 2, centre_mm, atol=0.01)


@pytest.mark.parametrize("which", ["base", "adapted"])
def test_predictions_tell_whose_hand_their_joints_lie_on(which: str, place: Path, tmp_path: Path) -> None:
    """It is the rendered one, and put through its kinematics the turns of bones give the joints."""
    predict([place / which], place / "test", tmp_path / "out")
    card = read_card(tmp_path / "out/predictions.npz")
    assert card is not None
    for name in SHAPE_FIELDS:
        np.testing.assert_allclose(card["hand"][name], getattr(SHAPE, name), rtol=1e-6, atol=1e-6)
    (joints_mm, _), quaternions = (read(tmp_path / "out/predictions.npz") for read in (read_joints, read_quaternions))
    rotations = quaternion_to_rotation(quaternions.astype(np.float64))
    posed_mm = place_keypoints(KEYPOINTS["icvl"], SHAPE, rotations, place_turned_bones(rotations, SHAPE))
    shift_mm = joints_mm - posed_mm
    np.testing.assert_allclose(shift_mm, np.broadcast_to(shift_mm[:, :1], shift_mm.shape), atol=0.01)


def test_on_nyu_the_papers_16_positions_are_predicted_beside_the_14(place: Path, tmp_path: Path) -> None:
    store = make_target(tmp_path, "test", 6, dataset="nyu")
    predict([place / "base"], store, tmp_path / "out")
    card, (joints_mm, _) = read_card(tmp_path / "out/predictions.npz"), read_joints(tmp_path / "out/predictions.npz")
    assert card is not None
    assert joints_mm.shape == (6, 16, 3)
    assert card["joints"] == card["paper_positions"]
    assert card["joints"] == [DATASETS["nyu"].joints.names[j] for j in NYU_SCORED] + ["PALM_4", "PALM_5"]
    # Both lie in the palm, whose points keep their distances whatever the pose.
    palm = KEYPOINTS["nyu"].take([33, 34, 32]).local_mm(SHAPE)
    for a, b in ((14, 0), (15, 1)):
        expected_mm = np.linalg.norm(palm[b] - palm[2])
        np.testing.assert_allclose(np.linalg.norm(joints_mm[:, a] - joints_mm[:, 13], axis=-1), expected_mm, atol=0.01)


def test_the_base_is_at_home_in_boxes_around_what_is_seen(place: Path, tmp_path: Path) -> None:
    """It learned from blocks around labels; crops of other centres look otherwise."""
    seen = make_target(tmp_path / "seen", "train", centre="seen")
    train(adapted_job(place), seen, tmp_path / "adapted")
    tested = make_target(tmp_path / "tested", "test", 10, centre="seen")
    for checkpoint in (place / "base", tmp_path / "adapted"):
        assert "10 of 10 frames" in predict([checkpoint], tested, tmp_path / "out")
    mass = make_target(tmp_path / "mass", "test", 10, centre="com")
    with pytest.raises(BadInput, match="expected centre block, as in training, found com"):
        predict([place / "base"], mass, tmp_path / "out")
    with pytest.raises(BadInput, match="expected centre seen, as in training, found block"):
        predict([tmp_path / "adapted"], place / "test", tmp_path / "out")


def test_a_checkpoint_without_its_hand_is_one_line(place: Path) -> None:
    """As earlier releases wrote them: their hand was another one."""
    for which in ("base", "adapted"):
        checkpoint = load_checkpoint(place / which)
        state = {name: value for name, value in checkpoint.state.items() if not name.endswith("cloud.girths")}
        with pytest.raises(BadInput, match=r"one that holds its hand, found no cloud\.girths.*train refine\.base"):
            replace(checkpoint, state=state).trained.build()


def test_the_probe_tells_of_images_time_and_trembling(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few at a time that the last part is a short one.
    monkeypatch.setattr("handbench.methods.refine.AT_ONCE", 7)
    probe(place / "adapted", place / "test", place / "train", tmp_path / "probe")
    numbers = json.loads((tmp_path / "probe/probe.json").read_text())["numbers"]
    assert numbers["frames"] == len(numbers["depth_error"]["by_frame"]) == 10
    assert all(0 < error < 1 for error in numbers["depth_error"]["by_frame"])
    assert len(numbers["jitter_mm"]["by_frame"]) == 8
    assert numbers["milliseconds"]["1"]["network"] > 0
    assert numbers["step"]["batch"] == 8
    assert numbers["step"]["milliseconds"] > 0
    assert numbers["step"]["device"] == numbers["device"] == "CPU"
    # The smallest errors are those of its predictions on the labelled training frames.
    monkeypatch.setattr("handbench.training.predict.check_unseen", lambda checkpoint, crops: None)
    predict([place / "adapted"], place / "train", tmp_path / "out")
    with np.load(tmp_path / "out/predictions.npz") as arrays:
        joints_mm = arrays["joints_mm"]
    errors_mm = np.linalg.norm(joints_mm - np.asarray(open_crops(store=place / "train").store.joints_mm), axis=-1)
    np.testing.assert_allclose(numbers["smallest_mm"], errors_mm.min(axis=0), atol=0.01)


def test_without_labels_there_is_no_bias_to_tell() -> None:
    joints, labels = torch.zeros(3, 2, 3), torch.full((3, 2, 3), torch.nan)
    labels[1, 0] = torch.tensor([0.0, 0.0, 0.1])
    smallest_mm = find_smallest_mm(joints, labels, torch.full((3,), 200.0))
    assert smallest_mm[0] == pytest.approx(10.0)
    assert np.isnan(smallest_mm[1])


def test_what_is_missing_or_too_much_is_one_line(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected --truth with the truth\.npz"):
        train(replace(base_job(place), truth=None), place / "crops", tmp_path / "out")
    with pytest.raises(BadInput, match="expected no --truth"):
        train(replace(adapted_job(place), truth=place / "hands/truth.npz"), place / "train", tmp_path / "out")
    with pytest.raises(BadInput, match="expected crops of the rendered set hands, found icvl"):
        train(base_job(place), place / "train", tmp_path / "out")
    with pytest.raises(BadInput, match="a turned patch shows no bones"):
        train(base_job(place, augmentation={"turn_deg": 10.0}), place / "crops", tmp_path / "out")
    with pytest.raises(BadInput, match=r"refine\.adapted needs a refine base, not nothing"):
        train(replace(adapted_job(place), needs=()), place / "train", tmp_path / "out")


def know_truth(frames: int) -> Truth:
    """Of the target's test frames."""
    poses, nothing = draw_poses(frames), np.full((frames, 3), np.nan, np.float32)
    rotations, _ = forward_kinematics(poses.astype(np.float64), SMALLER)
    shape = {name: getattr(SMALLER, name)[None].astype(np.float32) for name in ("bases_mm", "lengths_mm", "girths")}
    return Truth(
        poses=poses,
        quaternions=rotation_to_quaternion(rotations).astype(np.float32),
        take=np.zeros(frames, int),
        **shape,
        palm_stretch=SMALLER.palm_stretch[None].astype(np.float32),
        visible=np.ones((frames, 16), bool),
        object_centre_mm=nothing,
        object_rotation=np.full((frames, 3, 3), np.nan, np.float32),
        object_size_mm=nothing,
        mirrored=False,
    )


def test_the_base_is_probed_by_fits(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement_fits, "POSE_IMAGES", 2)
    monkeypatch.setattr(refinement_fits, "CLOUD_IMAGES", 3)
    monkeypatch.setattr(probing, "read_truth", lambda path, split: know_truth(10))
    probe(place / "base", place / "test", place / "crops", tmp_path / "probe", truth=tmp_path / "truth.npz")
    numbers = json.loads((tmp_path / "probe/probe.json").read_text())["numbers"]
    first, last = (np.array(numbers["pose_fits"][word]) for word in ("first", "last"))
    assert numbers["pose_fits"]["steps"] == 70
    assert len(first) == 2
    assert (last < first).all()
    with np.load(tmp_path / "probe/arrays.npz") as arrays:
        assert set(arrays.files) == FITS_TOLD["arrays"]
        assert arrays["pose_fits_losses"].shape == (2, 71)
        for word, told in (("cloud_fits", "fitted"), ("cloud_fits_held", "held")):
            curves = arrays[f"{word}_losses"]
            assert curves.shape == (3, 21)
            for end, column in (("first", 0), ("last", -1)):
                np.testing.assert_allclose(curves[:, column], numbers["cloud_fits"][f"{told}_{end}"], rtol=1e-6)
        np.testing.assert_allclose(arrays["pose_fits_losses"][:, -1], last, rtol=1e-6)
        for fit in ("pose_fits", "cloud_fits"):
            seen, before, after = (arrays[f"{fit}_{word}"] for word in ("seen", "first", "last"))
            assert seen.min() >= 0
            assert seen.max() <= 1
            assert arrays[f"{fit}_cube_mm"].shape == (len(seen),)
            assert np.abs(after - seen).mean() < np.abs(before - seen).mean()
    assert {fit: set(numbers[fit]) for fit in ("pose_fits", "cloud_fits")} == {
        fit: FITS_TOLD[fit] for fit in ("pose_fits", "cloud_fits")
    }
    before, after = (np.mean(numbers["pose_fits"][f"joints_mm_{end}"]) for end in ("first", "last"))
    assert 1 < after != before < 200
    fits = numbers["cloud_fits"]
    assert sum(fits["fitted_last"]) < 0.4 * sum(fits["fitted_first"])
    assert sum(fits["held_last"]) < sum(fits["held_first"])
    assert all(0 < fits[f"surface_mm_{end}"] < 20 for end in ("first", "last"))
