"""deepmodel's five variants trained, predicted with, exported and resumed."""

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
from handbench.hand.keypoints import keypoint_positions, learned_keypoints
from handbench.hand.skeleton import DOFS, vary_shape
from handbench.networks.deepmodel import DeepModel
from handbench.networks.hand_layer import HandLayer
from handbench.training.checkpoint import load_checkpoint
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_joints, read_pose, read_pose_of_all
from handbench.training.train import train
from tests.methods.deepmodel_fixtures import HAND, SIZE_PX, VARIANTS, draw_poses, fitted, make_data, make_job
from tests.methods.killed_training import train_with_kills


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, fitted poses, and every variant trained for a moment."""
    folder = tmp_path_factory.mktemp("deepmodel")
    make_data(folder)
    for variant in VARIANTS:
        train(make_job(variant, folder), folder / "train", folder / variant)
    return folder


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
