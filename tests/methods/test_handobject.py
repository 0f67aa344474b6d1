"""Equations 14 to 22 of feedback19 as they are trained, and the chain of hand and object on a few frames."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handbench.conventions import HANDOBJECT
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.evaluation.evaluate import evaluate
from handbench.geometry.patch_frame import points_to_mm
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import Data, as_batch
from handbench.loop.held_data import (
    divide_by_person,
    find_middle,
    held_of,
    keep_middle,
    list_symmetries,
)
from handbench.loop.held_object import straighten
from handbench.loop.held_view import Seen, make_hand_view, make_object_view, view_whole
from handbench.loop.localizer_training import localizer_loss
from handbench.methods.handobject import (
    corner_loss,
    hand_loss,
    place_box,
    rotation_loss,
    single_loss,
)
from handbench.sealed import seal
from handbench.training.checkpoint import load_checkpoint
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_corners, read_steps
from handbench.training.probe import probe
from handbench.training.probe_file import read_probe
from handbench.training.train import train
from tests.methods.held_fixtures import NEEDS, RENDERED, SIZE, UPDATERS, Held
from tests.methods.killed_training import train_with_kills


@pytest.fixture(scope="module")
def data(held: Held) -> Data:
    return divide_by_person(open_crops(store=held.learned)).seen


class Says(nn.Module):
    """A network with one answer."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Any:
        return self.answer


def test_eqs_14_and_15_ask_for_the_knuckle_and_for_the_middle_of_the_corners(data: Data) -> None:
    points_mm = points_to_mm(data["joints"], as_batch(data).frame)
    half_mm = (data["cube_mm"] / 2)[:, None]
    for target, expected_mm in (
        ("hand", points_mm[:, HANDOBJECT.joints.index("middle_mcp")]),
        ("object", points_mm[:, -8:].mean(dim=1)),
    ):
        middle = find_middle(data["joints"], target)  # type: ignore[arg-type]
        torch.testing.assert_close(middle * half_mm + data["centre_mm"], expected_mm, atol=1e-2, rtol=0)
    offsets = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])
    loss = localizer_loss(Says(torch.zeros(2, 3)), torch.zeros(2, 1, 8, 8), offsets)
    assert float(loss) == pytest.approx((0.01 + 0.04 + 0.09) / 2)


def see(data: Data, view: Any) -> Seen:
    return view(as_batch(data), held_of(data), 1.0)


def test_eq_19_is_the_squared_distance_of_all_joints(data: Data) -> None:
    seen = see(data, make_hand_view(200.0, 16))
    assert float(hand_loss(Says(seen.points), seen)) == 0.0
    off = seen.points + torch.tensor([0.3, 0.0, 0.4])
    assert float(hand_loss(Says(off), seen)) == pytest.approx(21 * 0.25, rel=1e-4)
    # The cube stands at the middle MCP joint.
    torch.testing.assert_close(seen.points[:, HANDOBJECT.joints.index("middle_mcp")], torch.zeros(len(off), 3))


def test_eq_20_takes_the_corners_in_the_nearest_order(data: Data) -> None:
    seen = see(data, make_object_view(180.0, 16))
    half_turn = torch.from_numpy(list_symmetries("cuboid")[0].orders[2])
    assert not torch.equal(half_turn, torch.arange(8))
    assert float(corner_loss(Says(seen.points[:, half_turn]), seen, kind="cuboid")) == pytest.approx(0, abs=1e-9)
    off = seen.points + torch.tensor([0.0, 0.1, 0.0])
    assert float(corner_loss(Says(off), seen, kind="cuboid")) == pytest.approx(8 * 0.01, rel=1e-3)


def test_the_rival_of_eq_20_is_measured_against_the_pose_that_looks_alike(data: Data) -> None:
    from handbench.loop.held_object import find_pose

    seen = see(data, make_object_view(180.0, 16))
    pose = find_pose(points_to_mm(seen.points, seen.frame), seen.held)
    middle = (pose.centre - seen.frame.centre_mm) / 90.0
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    for rotation in (pose.rotation, pose.rotation @ turn):
        network = Says((middle, rotation))
        assert float(rotation_loss(network, seen, kind="cuboid", weight=1.0)) == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(place_box(Says((middle, pose.rotation)), seen), seen.points, atol=1e-4, rtol=0)
    shifted = Says((middle + torch.tensor([0.5, 0.0, 0.0]), pose.rotation))
    assert float(rotation_loss(shifted, seen, kind="cuboid", weight=1.0)) == pytest.approx(0.25, rel=1e-3)


def test_the_single_network_is_asked_for_both_in_the_units_of_d(data: Data) -> None:
    seen = see(data, view_whole)
    hand, corners = seen.points[:, :21], seen.points[:, 21:]
    half_turn = torch.from_numpy(list_symmetries("cuboid")[0].orders[1])
    same = torch.cat([hand, corners[:, half_turn]], dim=1)
    assert float(single_loss(Says(same), seen, kind="cuboid")) == pytest.approx(0, abs=1e-9)
    off = torch.cat([hand + 0.1, corners], dim=1)
    assert float(single_loss(Says(off), seen, kind="cuboid")) == pytest.approx(21 * 0.03, rel=1e-3)


def test_a_turned_box_is_a_box_again(data: Data) -> None:
    """A patch that is turned about its middle shears what does not lie there; corners are to be those of a box."""
    from handbench.loop.augmentation import turn

    crops, held = as_batch(data), held_of(data)
    turned = turn(crops, torch.full((len(crops.depth),), 1.0))
    corners_mm = points_to_mm(see_object(turned, held).points, see_object(turned, held).frame)
    torch.testing.assert_close(straighten(corners_mm, held), corners_mm, atol=1e-2, rtol=0)


def see_object(crops: CropBatch, held: Any) -> Seen:
    return make_object_view(180.0, 16)(crops, held, 1.0)


def test_whole_persons_are_held_back(held: Held) -> None:
    crops = open_crops(store=held.learned)
    division = divide_by_person(crops)
    assert len(division.seen["depth"]) + len(division.held_back["depth"]) == len(crops)
    people = np.array(crops.subjects)
    known = {tuple(row): person for row, person in zip(np.asarray(crops.store.centre_mm).tolist(), people, strict=True)}
    seen, apart = (
        {known[tuple(row)] for row in part["centre_mm"].tolist()} for part in (division.seen, division.held_back)
    )
    assert not seen & apart
    assert {person.split("_")[0] == "user" for person in apart} == {True, False}, "drawn hands and recorded ones"


def test_one_person_is_not_enough(held: Held) -> None:
    crops = open_crops(store=held.learned)
    alone = CropDataset(crops.store, crops.places[np.array(crops.subjects) == "user_1"], range(29))
    with pytest.raises(BadInput, match="at least two persons"):
        divide_by_person(alone)


def test_crops_of_other_datasets_are_refused(held: Held) -> None:
    with pytest.raises(BadInput, match="rendered dataset handobject, found dexter"):
        divide_by_person(open_crops(store=held.tested))


def test_a_localizer_of_spheres_needs_no_solid_but_its_points(held: Held) -> None:
    division = keep_middle(divide_by_person(open_crops(store=held.learned)), "object")
    assert division.seen["joints"].shape[1:] == (1, 3)
    assert set(division.seen) == {"depth", "joints", "centre_mm", "cube_mm", "focal_px", "principal_px"}


def test_the_loop_predicts_both_in_the_axes_of_the_left_hand(held: Held, tmp_path: Path) -> None:
    predict([held.folder / "loop"], held.tested, tmp_path, truth=held.truth)
    file = tmp_path / "predictions.npz"
    card = read_card(file)
    assert card is not None
    assert (card["dataset"], card["learned_from"], card["mirrored"]) == ("dexter", "handobject", True)
    steps_mm, corners = read_steps(file), read_corners(file, card)
    assert steps_mm.shape == (3, 18, 21, 3)
    assert corners is not None
    assert corners.shape == (3, 18, 8, 3)
    # Boxes of the right size, right-handed, near the hand that holds them: not on the other side of the mirror.
    edges = [corners[:, :, place] - corners[:, :, 0] for place in (4, 2, 1)]
    sizes = [np.linalg.norm(edge, axis=-1) for edge in edges]
    assert all(np.ptp(size, axis=0).max() < 0.1 for size in sizes)
    assert (np.einsum("sfi,sfi->sf", np.cross(edges[0], edges[1]), edges[2]) > 0).all()
    centre_mm = np.asarray(open_crops(store=held.tested).store.centre_mm)
    away_mm = np.linalg.norm(corners.mean(axis=2) - centre_mm, axis=2)
    assert (away_mm < 500).all()
    result = evaluate(file, "dexter", "loop", truth_file=held.truth, out=tmp_path / "e").as_dict()
    assert len(result["run"]["hand_object"]["steps"]) == 3


def test_a_mirrored_module_sees_what_an_unmirrored_one_sees_of_right_hands(held: Held, tmp_path: Path) -> None:
    """The mirror is the only difference: predictions of one are the other's mirror image on mirrored frames."""
    predict([held.folder / "single"], held.tested, tmp_path / "a", truth=held.truth)
    held.train("single", "single_plain", mirror=False)
    predict([held.folder / "single_plain"], held.tested, tmp_path / "b", truth=held.truth)
    with_mirror, without = (read_steps(tmp_path / name / "predictions.npz") for name in ("a", "b"))
    assert np.abs(with_mirror - without).max() > 1.0
    card = json.loads((tmp_path / "b" / "predictions.json").read_text())
    assert card["mirrored"] is False


def test_cards_name_the_rendered_set_and_what_was_held(held: Held, tmp_path: Path) -> None:
    manifest = json.loads((held.folder / "render" / "manifest.json").read_text())
    card = json.loads((held.folder / "loop" / "checkpoint.json").read_text())
    assert card["rendered"] == {"train": manifest["sha256"]}
    assert card["held"]["kind"] == "cuboid"
    low_mm, high_mm = np.array(card["held"]["edges_mm"]).T
    assert (low_mm <= [60, 110, 35]).all()
    assert (high_mm >= [60, 110, 35]).all()
    said = predict([held.folder / "loop"], held.tested, tmp_path, truth=held.truth)
    assert said.endswith(f"learned from rendered frames, set train ({manifest['sha256'][:12]})")
    told = json.loads((tmp_path / "predictions.json").read_text())
    assert told["rendered"] == card["rendered"]
    assert told["parts_converged"] == {part["module"]: part["converged"] for part in card["parts"]}
    assert {"handobject_hand_localizer", "handobject_object_updater"} < told["parts_converged"].keys()
    assert not all(told["parts_converged"].values()), "an epoch or two are no end"


def test_parts_of_two_renderings_do_not_come_together(held: Held, tmp_path: Path) -> None:
    """The same word, other frames: as after a change of the seed."""
    folder = tmp_path / "older"
    shutil.copytree(held.folder / "hand_predictor", folder)
    card = json.loads((folder / "checkpoint.json").read_text())
    del card["sha256"]
    (folder / "checkpoint.json").write_text(json.dumps(seal(card | {"rendered": {"train": "0" * 64}})))
    job = held.job("rotation")
    needs = (*job.needs[:2], folder)
    with pytest.raises(
        BadInput, match=r"handobject_hand_predictor: expected .* set train \(.*found train \(000000000000\)"
    ):
        train(replace(job, needs=needs), held.learned, tmp_path / "out")
    (folder / "checkpoint.json").write_text(json.dumps(seal(card | {"rendered": {"spheres": "1" * 64}})))
    said = train(replace(job, needs=needs), held.learned, tmp_path / "out")
    assert "learned from several rendered sets: train (" in said
    mixed = json.loads((tmp_path / "out" / "checkpoint.json").read_text())
    assert list(mixed["rendered"]) == ["train", "spheres"]
    assert any("several rendered sets" in one for one in mixed["remarks"])


@pytest.mark.parametrize("part", ["single", "rotation"])
def test_rivals_predict_in_one_step(held: Held, part: str, tmp_path: Path) -> None:
    predict([held.folder / part], held.tested, tmp_path, truth=held.truth)
    assert read_steps(tmp_path / "predictions.npz").shape == (1, 18, 21, 3)


def test_the_rival_of_gf9_starts_with_the_hand_of_the_loop(held: Held, tmp_path: Path) -> None:
    for part in ("loop", "rotation"):
        predict([held.folder / part], held.tested, tmp_path / part, truth=held.truth)
    loop, rotation = (read_steps(tmp_path / part / "predictions.npz")[0] for part in ("loop", "rotation"))
    np.testing.assert_allclose(loop, rotation, atol=1e-2)


def test_sizes_come_from_the_settings_where_no_truth_tells_them(held: Held, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"size of the box .* none for Grasp1, Grasp2"):
        predict([held.folder / "single"], held.tested, tmp_path)
    # Typed in another order than that of the boxes learned from.
    boxes = {name: [110.0, 35.0, 60.0] for name in ("Grasp1", "Grasp2", "Occlusion", "Pinch", "Rigid", "Rotate")}
    held.train("loop", "real_loop", boxes_mm=boxes)
    predict([held.folder / "real_loop"], held.tested, tmp_path)
    file = tmp_path / "predictions.npz"
    corners = read_corners(file, read_card(file) or {})
    assert corners is not None
    np.testing.assert_allclose(np.linalg.norm(corners[:, :, 2] - corners[:, :, 0], axis=2), 110.0, atol=0.05)


@pytest.mark.parametrize("part", ["hand_localizer", "object_localizer"])
def test_localizers_are_probed_on_embedded_frames(held: Held, part: str, tmp_path: Path) -> None:
    place = held.folder / part
    with pytest.raises(BadInput, match=r"--truth with the truth\.npz"):
        probe(place, held.tested, held.learned, tmp_path)
    probe(place, held.tested, held.learned, tmp_path, truth=held.truth)
    told = read_probe(tmp_path / "probe.json")
    assert (told["dataset"], told["centre"]) == ("dexter", "com-400")
    numbers = told["numbers"]
    assert len(numbers["frame_localized_mm"]) == len(numbers["sequences"]) == numbers["frames"] == 18
    # The centre of mass lies within the cube around both: how far off it is does not depend on any network.
    assert 5.0 < numbers["first"]["mean_mm"] < 150.0


@pytest.mark.slow
def test_the_loop_is_timed_part_by_part(held: Held, tmp_path: Path) -> None:
    probe(held.folder / "loop", held.tested, held.learned, tmp_path, truth=held.truth)
    times = read_probe(tmp_path / "probe.json")["numbers"]["milliseconds"]
    assert set(times) >= {"1", "64"}
    assert set(times["64"]) == {"localizer", "predictor", "synthesizer", "updater", "loop"}


@pytest.mark.parametrize("part", UPDATERS)
def test_eq_22_goes_on_after_a_kill_in_the_same_bytes(held: Held, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = held.folder / f"killed_{part}"
    with monkeypatch.context() as patched:
        killed = train_with_kills(held.job(part), held.learned, out, patched, starts=5)
    assert killed == 3
    whole, cut = (load_checkpoint(place).state for place in (held.folder / part, out))
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_the_crops_of_use_are_those_of_the_training(held: Held) -> None:
    held.train("hand_updater", "at_localizer", recrop="localizer")
    mixed = (*RENDERED, "at_localizer", "object_updater")
    with pytest.raises(BadInput, match="two updaters that learned from the same crops, found localizer and pose"):
        held.train("loop", "mixed", needs=mixed)


def test_a_network_draws_in_the_cube_of_its_training(held: Held) -> None:
    held.train("hand_synthesizer", "narrow", cube_mm=150.0)
    needs = ("narrow" if part == "hand_synthesizer" else part for part in NEEDS["hand_updater"])
    with pytest.raises(BadInput, match="predictor's cube of 200 mm, found 150 mm"):
        held.train("hand_updater", "of_narrow", needs=tuple(needs))


def test_checkpoints_of_rendered_hands_are_there_for_dexter_alone(held: Held, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="crops that were not trained on"):
        predict([held.folder / "single"], held.learned, tmp_path)


def test_patches_are_half_as_wide_as_d(held: Held) -> None:
    card = load_checkpoint(held.folder / "hand_predictor").card
    assert card["size_px"] == SIZE
    assert load_checkpoint(held.folder / "hand_predictor").trained.build()(torch.ones(1, 1, SIZE // 2, SIZE // 2)).shape


STILL = {"scale": 0.0, "shift_mm": 0.0, "turn_deg": 0.0}


@pytest.mark.parametrize(
    ("part", "settings", "share"),
    [
        ("object_localizer", {"batch": 14}, 0.2),
        ("hand_predictor", {"batch": 14, "place_noise_mm": 0.0}, 0.3),
        ("object_predictor", {"batch": 14, "place_noise_mm": 0.0}, 0.2),
        ("rotation", {"batch": 14, "place_noise_mm": 0.0}, 0.2),
        ("single", {"batch": 14}, 0.2),
        ("hand_synthesizer", {"batch": 14, "filters": 8, "stage_epochs": []}, 0.6),
        ("object_synthesizer", {"batch": 14, "filters": 8, "stage_epochs": []}, 0.6),
        ("hand_updater", {"batch": 14, "noise_share": 0.0, "truth_share": 0.0, "error_share": 0.0}, 0.6),
        ("object_updater", {"batch": 14, "noise_share": 0.0, "truth_share": 0.0, "error_share": 0.0}, 0.6),
    ],
)
def test_each_network_learns_a_few_frames_by_heart(
    held: Held, part: str, settings: dict[str, Any], share: float
) -> None:
    losses = []
    for epochs in (1, 80):
        said = train(
            held.job(part, epochs=epochs, augmentation=STILL, last_rate_share=0.1, **settings),
            held.learned,
            held.folder / f"heart_{part}_{epochs}",
        )
        losses.append(float(said.partition("loss ")[2].partition(",")[0]))
    assert losses[1] < share * losses[0]
