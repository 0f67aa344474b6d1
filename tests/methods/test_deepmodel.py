"""deepmodel's equations by hand, and its five variants trained, predicted with and resumed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.fitting.pose_file import load_poses, save_poses
from handbench.fitting.pose_fit import follow_recordings
from handbench.hand.keypoints import keypoint_positions, learned_keypoints, scored_keypoints
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, vary_shape
from handbench.methods.deepmodel import (
    choose_turn,
    find_mean,
    joint_loss,
    model_loss,
    parameter_loss,
    physical_loss,
    place_in_crop,
)
from handbench.networks.deepmodel import DeepModel, count_cells, find_steps
from handbench.networks.hand_layer import HandLayer
from handbench.training.checkpoint import load_checkpoint
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_joints, read_pose, read_pose_of_all
from handbench.training.train import train
from tests.methods.deepmodel_fixtures import HAND, SIZE_PX, VARIANTS, draw_poses, fitted, make_data, make_job
from tests.methods.killed_training import train_with_kills

LIMITS_RAD = torch.tensor([[-0.5, 1.0]]).expand(20, 2)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, fitted poses, and every variant trained for a moment."""
    folder = tmp_path_factory.mktemp("deepmodel")
    make_data(folder)
    for variant in VARIANTS:
        train(make_job(variant, folder), folder / "train", folder / variant)
    return folder


def make_network(**changes: Any) -> DeepModel:
    layer = HandLayer(HAND.shape, HAND.keypoints, fitted(draw_poses(9)).limits_rad, 250.0)
    return DeepModel(layer, SIZE_PX, **changes)


def test_equation_1_by_hand() -> None:
    """Two frames of two joints: off by (1, 2, 2) and nothing in one, by (0, 0, 2) twice in the other."""
    labels = torch.zeros(2, 2, 3)
    joints = torch.tensor([[[1.0, 2, 2], [0, 0, 0]], [[0, 0, 2], [0, 0, 2]]])
    assert float(joint_loss(joints, labels)) == pytest.approx((9 / 2 + 8 / 2) / 2)


def test_equation_2_by_hand() -> None:
    """One angle 0.2 below its bound and one 0.3 above; the second frame within; wrist and palm have no bounds."""
    pose = torch.zeros(2, 26)
    pose[:, :6] = 9.0
    pose[0, 6], pose[0, 25] = -0.7, 1.3
    pose[1, 6], pose[1, 7] = -0.5, 1.0
    assert float(physical_loss(pose, LIMITS_RAD)) == pytest.approx((0.2 + 0.3) / 2)
    pose.requires_grad_()
    physical_loss(pose, LIMITS_RAD).backward()
    assert pose.grad is not None
    assert pose.grad.nonzero().tolist() == [[0, 6], [0, 25]]


def test_the_slopes_of_both_losses_by_a_last_joint() -> None:
    """Of NYU's hand in its cube of 300 mm: a fingertip 10 mm off, the way it bends, pulls with 0.010 to 0.012 a radian
    (docs/deepmodel.md, "Units"), a bound with 1."""
    keypoints, pose = learned_keypoints("nyu"), torch.zeros(1, 26, dtype=torch.float64, requires_grad=True)
    joints = keypoint_positions(keypoints, REFERENCE_SHAPE, pose) / 150
    for last in range(9, 26, 4):
        bent = torch.zeros_like(pose)
        bent[0, last] = 1e-4
        way = keypoint_positions(keypoints, REFERENCE_SHAPE, pose.detach() + bent)[0] / 150 - joints[0].detach()
        tip = int(way.norm(dim=1).argmax())
        labels = joints.detach().clone()
        labels[0, tip] -= way[tip] / way[tip].norm() * 10 / 150
        (slope,) = torch.autograd.grad(joint_loss(joints, labels), pose, retain_graph=True)
        assert 0.0095 < float(slope[0, last]) < 0.0125, DOFS[last]
    (slope,) = torch.autograd.grad(physical_loss(pose, LIMITS_RAD.double() + 1.5), pose)
    assert slope[0, 6:].tolist() == [-1.0] * 20


def test_equation_3_is_their_sum_with_lambda() -> None:
    network = make_network(dropout=0.0)
    network.start_at(torch.full((26,), 1.5))
    depth, labels, cube_mm = torch.rand(4, 1, SIZE_PX, SIZE_PX), torch.rand(4, 16, 3), torch.full((4,), 200.0)
    pose = network.read_numbers(depth)
    parts = joint_loss(network.layer(pose, cube_mm), labels), physical_loss(pose, network.layer.limits_rad)
    assert float(parts[1]) > 0
    for lam in (0.0, 1.0, 2.5):
        torch.testing.assert_close(model_loss(network, depth, labels, cube_mm, lam), parts[0] + lam * parts[1])


def test_direct_parameter_goes_the_shorter_way_round_for_rotations_alone() -> None:
    pose, target = torch.zeros(1, 26), torch.zeros(1, 26)
    pose[0, 3], target[0, 3] = np.pi - 0.1, -np.pi + 0.1
    assert float(parameter_loss(pose, target)) == pytest.approx(0.2**2 / 2, rel=1e-4)
    pose[0, 8] = 2 * np.pi
    assert float(parameter_loss(pose, target)) == pytest.approx((0.2**2 + (2 * np.pi) ** 2) / 2, rel=1e-4)


def test_a_pose_keeps_its_rotation_and_has_one_name() -> None:
    pose = torch.randn(200, 26, dtype=torch.float64) * 4
    chosen = choose_turn(pose)
    torch.testing.assert_close(hand_rotation(chosen[:, 3:6]), hand_rotation(pose[:, 3:6]), atol=1e-6, rtol=0.0)
    assert chosen[:, 4].abs().max() <= np.pi / 2 + 1e-6
    assert chosen[:, [3, 5]].abs().max() <= np.pi + 1e-6
    torch.testing.assert_close(choose_turn(chosen), chosen, atol=1e-6, rtol=0.0)
    kept = [0, 1, 2, *range(6, 26)]
    assert torch.equal(chosen[:, kept], pose[:, kept])


def test_the_mean_of_turns_on_both_sides_of_pi_lies_at_pi() -> None:
    pose = torch.zeros(2, 26)
    pose[:, 3] = torch.tensor([np.pi - 0.1, -np.pi + 0.1])
    pose[:, 0], pose[:, 7] = torch.tensor([1.0, 2.0]), torch.tensor([0.2, 0.4])
    mean = find_mean(pose)
    assert abs(float(mean[3])) == pytest.approx(np.pi, abs=1e-5)
    assert mean[[0, 7]].tolist() == pytest.approx([1.5, 0.3])


@pytest.mark.parametrize(("size_px", "cells"), [(128, 12), (64, 4), (40, 1)])
def test_the_printed_maps(size_px: int, cells: int) -> None:
    """Sec. 3.2: 128 pixels end as 12 x 12 x 8."""
    assert count_cells(size_px) == cells
    layer = make_network().layer
    network = DeepModel(layer, size_px)
    assert network.hidden_1.in_features == cells * cells * 8
    assert network(torch.zeros(2, 1, size_px, size_px)).shape == (2, 16, 3)


def test_it_starts_at_the_mean_hand() -> None:
    mean = find_mean(place_in_crop(torch.tensor(draw_poses(40)), torch.zeros(40, 3), torch.full((40,), 250.0)))
    network = make_network().eval()
    network.start_at(mean)
    with torch.no_grad():
        found = network.read_numbers(torch.rand(30, 1, SIZE_PX, SIZE_PX) * 2 - 1)
    assert (found - mean).abs().max() < 0.5


def test_a_step_of_the_last_weights_moves_the_joints_alike_in_all_directions() -> None:
    """Measured by differences: along every direction but those in which joints hardly move."""
    network, edges_mm = make_network().double(), torch.full((40,), 250.0)
    layer = network.layer.eval()
    pose = layer.from_wrist(place_in_crop(torch.tensor(draw_poses(40)).double(), torch.zeros(40, 3), edges_mm))
    steps = find_steps(network, pose)
    torch.testing.assert_close(steps, steps.T)
    small = 1e-5
    moved = [(layer(pose + small * step) - layer(pose)).square().sum(dim=(1, 2)).mean() / small**2 for step in steps]
    plain = [
        (layer(pose + small * one) - layer(pose)).square().sum(dim=(1, 2)).mean() / small**2
        for one in torch.eye(26, dtype=torch.float64)
    ]
    assert max(moved) <= 1.0
    # Of the last joints' angles, the least move of which is set, a third of the directions are left out.
    assert max(moved) / sorted(moved)[8] < 4
    assert max(plain) / sorted(plain)[8] > 40
    # What moves fastest of all, to first order: no direction is a trap for a rate that suits the others.
    flat = torch.stack([(layer(pose + small * step) - layer(pose)).flatten() / small for step in steps])
    assert torch.linalg.matrix_norm(flat @ flat.T / len(pose), 2) <= 1.001


def test_steps_of_six_numbers_are_those_where_they_start() -> None:
    """Of columns as short as their means, which a step turns further than ones of full length."""
    network, edges_mm = make_network(palm_numbers=6).double(), torch.full((40,), 250.0)
    layer = network.layer.train()
    pose = layer.from_wrist(place_in_crop(torch.tensor(draw_poses(40)).double(), torch.zeros(40, 3), edges_mm))
    numbers, steps = network.as_started(pose), find_steps(network, pose)
    assert (numbers.shape, steps.shape, layer.training) == ((40, 29), (29, 29), True)
    mean = network.as_numbers(pose).mean(0)
    torch.testing.assert_close(numbers[:, 3:6].norm(dim=1), mean[3:6].norm().expand(40))
    torch.testing.assert_close(numbers[:, 6:9].norm(dim=1), mean[6:9].norm().expand(40))
    layer.eval()
    torch.testing.assert_close(layer(network.as_pose(numbers)), layer(pose), atol=1e-4, rtol=0.0)
    small = 1e-5
    start = layer(network.as_pose(numbers))
    flat = torch.stack([(layer(network.as_pose(numbers + small * step)) - start).flatten() / small for step in steps])
    assert 0.9 < torch.linalg.matrix_norm(flat @ flat.T / len(pose), 2) <= 1.001


def test_theta_is_what_the_mean_says_whatever_the_steps() -> None:
    network, mean = make_network().eval(), torch.linspace(-1, 1, 26)
    steps = torch.randn(26, 26)
    # Positive definite, as find_steps gives them: of any other random matrix some cannot be inverted.
    network.start_at(mean, steps @ steps.T / 26 + torch.eye(26))
    with torch.no_grad():
        network.output.weight.zero_()
        torch.testing.assert_close(network.read_numbers(torch.zeros(1, 1, SIZE_PX, SIZE_PX))[0], mean)


@pytest.mark.parametrize("direct", [True, False])
def test_all_joints_are_learned_and_the_scored_ones_told(direct: bool) -> None:
    layer = HandLayer(HAND.shape, learned_keypoints("nyu"), fitted(draw_poses(9)).limits_rad, 300.0)
    network, images = DeepModel(layer, SIZE_PX, direct=direct, told=14).eval(), torch.rand(2, 1, SIZE_PX, SIZE_PX)
    assert network.read_joints(images).shape == (2, 31, 3)
    assert torch.equal(network(images), network.read_joints(images)[:, :14])
    if not direct:
        scored = HandLayer(HAND.shape, scored_keypoints("nyu"), layer.limits_rad.numpy(), 300.0)
        torch.testing.assert_close(network(images), scored(network.read_numbers(images)))


def test_dropout_acts_in_training_only() -> None:
    network, depth = make_network(), torch.rand(2, 1, SIZE_PX, SIZE_PX)
    assert not torch.equal(network(depth), network(depth))
    network.eval()
    assert torch.equal(network(depth), network(depth))


def test_too_small_a_patch_is_one_line() -> None:
    with pytest.raises(BadInput, match="deepmodel: expected a patch of 40 pixels or more, found 32"):
        DeepModel(make_network().layer, 32)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_angles_and_joints_of_a_prediction_are_one_hand(place: Path, variant: str, tmp_path: Path) -> None:
    predict([place / variant], place / "test", tmp_path)
    file = tmp_path / "predictions.npz"
    (joints_mm, _), pose, card = read_joints(file), read_pose(file), read_card(file)
    assert pose is not None
    assert card is not None
    assert (pose.shape, pose.dtype) == ((12, 26), np.float32)
    assert card["gives_angles"]
    told = load_poses(place / "fit").card
    assert all(card[key] == told[key] for key in ("hand", "keypoints_mm", "limits_rad"))
    again_mm = keypoint_positions(HAND.keypoints, HAND.shape, pose)
    off_mm = np.linalg.norm(again_mm - joints_mm, axis=-1)
    if variant == "direct_joint":
        assert off_mm.mean() < 20, "the hand that lies nearest to joints which know no hand"
        assert off_mm.max() > 0.1
        # As true poses are found: within the training's bounds, and not further off than following the frames ends.
        low, high = np.array(told["limits_rad"]).T
        assert ((pose[:, 6:] >= low - 1e-5) & (pose[:, 6:] <= high + 1e-5)).all()
        followed = follow_recordings(HAND, joints_mm, ("one",) * 12, np.array(told["limits_rad"]))
        assert off_mm.mean() < followed.left_mm.mean() + 0.1
        of_all = read_pose_of_all(file)
        assert of_all is not None
        np.testing.assert_allclose(of_all, pose, atol=1e-5, err_msg="of ICVL all joints are scored")
    else:
        assert off_mm.max() < 1e-2
        assert read_pose_of_all(file) is None, "nothing is fitted"


def test_a_hand_is_fitted_to_the_scored_joints_and_to_all_that_were_read(tmp_path: Path) -> None:
    """Of NYU a network gives 31 joints: a last joint that the scored 14 leave open is found from all of them."""
    from handbench.methods import Trained
    from handbench.methods.deepmodel import METHODS, fit_learned, fit_told
    from handbench.modules import check_settings

    hand = replace(HAND, keypoints=learned_keypoints("nyu"))
    poses = draw_poses(1)
    poses[:, :3] = [0, 60, 0]
    limits_rad = np.stack([poses[0, 6:] - 0.6, poses[0, 6:] + 0.6], axis=1)
    layer = HandLayer(hand.shape, hand.keypoints, limits_rad, 300.0)
    network = DeepModel(layer, SIZE_PX, direct=True, told=14)
    joints = torch.from_numpy(keypoint_positions(hand.keypoints, hand.shape, poses)[0] / 150).float()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.copy_(joints.flatten())
    settings = check_settings("deepmodel.joint", {})
    trained = Trained("deepmodel.joint", settings, network.state_dict(), joints=14, size_px=SIZE_PX)
    assert (METHODS["joint"].pose, METHODS["joint"].pose_of_all) == (fit_told, fit_learned)
    found = {fit: fit(trained, torch.zeros(1, 1, SIZE_PX, SIZE_PX))[0].numpy() for fit in (fit_told, fit_learned)}
    for fit, count in ((fit_told, 14), (fit_learned, 31)):
        pose = found[fit].astype(np.float64)
        pose[:3] *= 150
        off_mm = keypoint_positions(hand.keypoints, hand.shape, pose[None])[0] - joints.numpy() * 150
        assert np.abs(off_mm[:count]).max() < 0.5, fit
    errors_deg = {fit: np.degrees(np.abs(pose[6:] - poses[0, 6:])) for fit, pose in found.items()}
    assert errors_deg[fit_learned].max() < 2.0
    assert errors_deg[fit_told].max() > 3 * errors_deg[fit_learned].max()


def test_a_smaller_cube_is_read_as_of_a_smaller_hand(place: Path, tmp_path: Path) -> None:
    """The hand keeps its place in the cube, and bones shrink with it."""
    from handbench.conventions import ICVL
    from handbench.datasets.crops import build_crops
    from tests.datasets.crop_fixtures import make_listing

    joints_mm = keypoint_positions(HAND.keypoints, HAND.shape, draw_poses(6)).astype(np.float32)
    child = replace(ICVL, cube_mm={"": 200.0})
    listing = make_listing(6, convention=child, joints_mm=joints_mm)
    build_crops(listing, centre="joint", size_px=SIZE_PX, out=tmp_path / "test")
    predict([place / "deepmodel"], tmp_path / "test", tmp_path / "out")
    file = tmp_path / "out" / "predictions.npz"
    (found_mm, _), pose = read_joints(file), read_pose(file)
    assert pose is not None
    with np.load(file, allow_pickle=False) as arrays:
        scale = arrays["hand_scale"]
    assert scale.tolist() == pytest.approx([0.8] * 6)
    wrist_mm = pose[:, None, :3]
    again_mm = keypoint_positions(HAND.keypoints, HAND.shape, pose)
    np.testing.assert_allclose(found_mm - wrist_mm, 0.8 * (again_mm - wrist_mm), atol=1e-2)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_learns_a_batch_by_heart(place: Path, variant: str, tmp_path: Path) -> None:
    changes = {"epochs": 120, "batch": 18, "dropout": 0.0, "learning_rate": 0.005}
    train(make_job(variant, place, **changes), place / "train", tmp_path / "model")
    told = [json.loads(line) for line in (tmp_path / "model" / "tracking.jsonl").read_text().splitlines()]
    losses = [row[1] for event in told if event["event"] == "metrics" for row in event["rows"] if row[0] == "loss"]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("variant", ["deepmodel", "direct_joint", "direct_parameter_physical"])
def test_killed_after_any_epoch_it_ends_in_the_same_bytes(
    place: Path, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = train_with_kills(make_job(variant, place), place / "train", tmp_path, monkeypatch, starts=9)
    assert killed == 3
    file = "checkpoint.safetensors"
    assert (tmp_path / file).read_bytes() == (place / variant / file).read_bytes()


def test_a_checkpoint_needs_no_fit_folder_and_names_it(place: Path) -> None:
    checkpoint = load_checkpoint(place / "deepmodel")
    poses = load_poses(place / "fit")
    assert checkpoint.card["poses"]["sha256_of_file"] == poses.card["sha256_of_file"]
    layer = checkpoint.trained.build().layer
    assert isinstance(layer, HandLayer)
    assert np.array_equal(layer.hand_limits_rad, poses.limits_rad)
    assert np.array_equal(layer.hand[0].lengths_mm, HAND.shape.lengths_mm)
    assert float(layer.cube_mm) == 250.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"poses": None}, "expected --poses with poses fitted to its frames for the kind deepmodel.hand, found none"),
        ({"kind": "nearest_neighbour", "settings": {}}, "expected no --poses for the kind nearest_neighbour"),
        ({"poses": Path("nowhere")}, "expected the card of fitted poses, found no file"),
        ({"kind": "deepmodel.parameter", "settings": {"augmentation": {"turn_deg": 5.0}}}, "turn_deg is 0 here"),
        ({"settings": {"momentum": 1.0}}, "momentum to be less than 1"),
        ({"kind": "deepmodel.joint", "settings": {"physical_weight": 1.0}}, "found physical_weight"),
    ],
    ids=["none", "not asked for", "no folder", "turned", "momentum", "no layer, no bounds"],
)
def test_what_a_training_refuses(place: Path, changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    job = replace(make_job("deepmodel", place), **changes)
    with pytest.raises(BadInput, match=said) as caught:
        train(job, place / "train", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "kept", "moved_mm", "said"),
    [
        ({"split": "test"}, 40, 0.0, "expected poses of real icvl train, found real icvl test"),
        ({"source": "embedded"}, 40, 0.0, "expected poses of real icvl train, found embedded icvl train"),
        ({}, 30, 0.0, "a fitted pose for every labelled frame, found none for 10 of 40"),
        ({}, 40, 12.0, "found those of others: hands up to 12 mm further from the labels than the fit left them"),
    ],
    ids=["split", "source", "fewer", "one frame of another recording"],
)
def test_poses_of_other_frames_are_refused(
    place: Path, changed: dict[str, str], kept: int, moved_mm: float, said: str, tmp_path: Path
) -> None:
    pose = draw_poses(40)[:kept]
    pose[17, 2] += moved_mm
    card = {"dataset": "icvl", "split": "train", "source": "real"}
    save_poses(tmp_path / "fit", fitted(pose), card | changed)
    with pytest.raises(BadInput, match=said):
        train(make_job("deepmodel", tmp_path), place / "train", tmp_path / "out")


def test_angles_of_own_frames_are_written(place: Path, tmp_path: Path) -> None:
    import csv

    import cv2

    from handbench.report.own_prediction import load_model, name_source, predict_frames

    depth_mm = np.full((240, 320), 1200, np.uint16)
    depth_mm[90:150, 130:190] = 480
    assert cv2.imwrite(str(tmp_path / "hand.png"), depth_mm)
    model = load_model(place / "deepmodel")
    predict_frames([tmp_path / "hand.png"], model, name_source(model, None, None), tmp_path / "out", pictures=False)
    with (tmp_path / "out" / "angles.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert list(row) == ["frame", "x_mm", "y_mm", "z_mm", *(f"{name}_deg" for name in DOFS[3:]), "hand_scale"]
    assert float(row["hand_scale"]) == 1.0
    [frame] = json.loads((tmp_path / "out" / "joints.json").read_text())["frames"]
    assert frame["wrist"] == [float(row[key]) for key in ("x_mm", "y_mm", "z_mm")]
    assert {f"{name}_deg": angle for name, angle in frame["angles"].items()} == pytest.approx(
        {key: float(value) for key, value in row.items() if key.endswith("_deg")}, abs=2e-3
    )
    # The joints beside them are those of this very hand.
    pose = np.array([*frame["wrist"], *np.radians(list(frame["angles"].values()))])
    joints_mm = keypoint_positions(HAND.keypoints, HAND.shape, pose)
    found_mm = [joint["xyz"] for joint in frame["iterations"][-1]["joints"].values()]
    np.testing.assert_allclose(found_mm, joints_mm, atol=0.05)
    # A smaller cube is read as of a smaller person, and says so.
    model = load_model(place / "deepmodel", 200.0)
    predict_frames([tmp_path / "hand.png"], model, name_source(model, None, None), tmp_path / "small", pictures=False)
    [frame] = json.loads((tmp_path / "small" / "joints.json").read_text())["frames"]
    assert frame["hand_scale"] == pytest.approx(200 / 250)
    pose = np.array([*frame["wrist"], *np.radians(list(frame["angles"].values()))])
    smaller = vary_shape(HAND.shape, size=frame["hand_scale"])
    found_mm = [joint["xyz"] for joint in frame["iterations"][-1]["joints"].values()]
    np.testing.assert_allclose(found_mm, keypoint_positions(HAND.keypoints, smaller, pose), atol=0.05)


def test_an_exported_hand_gives_the_same_joints(place: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    pytest.importorskip("onnxscript", reason="the export extra is not installed")
    from handbench.training.export import export

    export(place / "deepmodel", tmp_path / "hand.onnx")
    depth = open_crops(store=place / "test", joints="scored").tensors()["depth"]
    (joints,) = onnxruntime.InferenceSession(tmp_path / "hand.onnx").run(["joints"], {"depth": depth.numpy()})
    assert joints.shape == (12, 16, 3)
