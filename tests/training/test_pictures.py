"""Which frames pictures are taken of, and that they show what the networks give, from networks that know nothing."""

import numpy as np
import pytest
import torch

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.geometry.crop import points_to_patch
from handbench.loop.loop_probe import COPIES, FOLLOWED_MM, NOISE_SEED, NORM_OF_UNIT_NOISE
from handbench.methods import Trained, keep, load_method
from handbench.methods.feedback15 import make_synthesizer
from handbench.modules import Feedback15Predictor, Feedback15Synthesizer, Feedback15Updater, ImageSearch, Loop
from handbench.networks.predictor import SimplePredictor
from handbench.networks.updater import Updater2015
from handbench.training.picture_file import as_levels
from handbench.training.pictures import choose_by_start, choose_even, take_pictures
from tests.datasets.crop_fixtures import make_listing

JOINTS, SIZE_PX, FRAMES = 16, 16, 40


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> CropDataset:
    """One of the frames has no label for a joint."""
    listing = make_listing(FRAMES)
    listing.joints_mm[1, 3] = np.nan
    store = tmp_path_factory.mktemp("crops") / "test"
    build_crops(listing, centre="com", size_px=SIZE_PX, out=store)
    return open_crops(store=store, joints="scored")


def make_parts() -> tuple[Trained, Trained, Trained]:
    settings = Feedback15Synthesizer(filters=2)
    made = (
        ("feedback15.predictor", Feedback15Predictor(), SimplePredictor(JOINTS, SIZE_PX, seed=0)),
        ("feedback15.synthesizer", settings, make_synthesizer(JOINTS, SIZE_PX, settings)),
        ("feedback15.updater", Feedback15Updater(), Updater2015(JOINTS, SIZE_PX, pooling=False, seed=0)),
    )
    predictor, synthesizer, updater = (
        Trained(kind, settings, keep(network), JOINTS, SIZE_PX) for kind, settings, network in made
    )
    return predictor, synthesizer, updater


def make_loop(iterations: int = 2, frames: int | None = None) -> Trained:
    return Trained("feedback_loop", Loop(iterations=iterations, frames=frames), {}, JOINTS, SIZE_PX, make_parts())


def test_frames_are_chosen_by_hand() -> None:
    """Ninety frames, frame k with an error of 89 - k."""
    choice = choose_by_start(torch.arange(89.0, -1.0, -1.0))
    assert choice.words == ("10 %", "50 %", "90 %", *["even"] * 7)
    assert choice.places.tolist() == [80, 45, 9, 0, 12, 25, 38, 51, 64, 77]
    assert choose_even(80, 8).places.tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    few = choose_by_start(torch.tensor([2.0, 1.0]))
    assert few.places.tolist() == [1, 1, 0]
    assert few.words == ("10 %", "50 %", "90 %")


def test_a_synthesizer_is_seen_at_true_and_impossible_poses(crops: CropDataset) -> None:
    trained = make_parts()[1]
    pictures = take_pictures(trained, crops)
    assert pictures.steps == ("truth", "fingers swapped", "fingers flipped")
    # Forty less the one without a label: every 39 / 8th of the rest, which are one row further on.
    assert pictures.rows.tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    assert (pictures.pose_mm[:, 0] == 0).all()
    assert (pictures.pose_mm[:, 1:] > 0).all()
    np.testing.assert_array_equal(pictures.truth_px, pictures.poses_px[:, 0])
    tensors = crops.tensors()
    image = trained.build()(tensors["joints"][pictures.rows]).detach()
    np.testing.assert_array_equal(pictures.drawn[:, 0], as_levels(image[:, 0].numpy()))
    np.testing.assert_array_equal(pictures.camera, as_levels(tensors["depth"][pictures.rows, 0].half().float().numpy()))
    difference_mm = ((image - tensors["depth"][pictures.rows]).abs() * 125)[:, 0]
    hand = tensors["depth"][pictures.rows, 0] < 1
    by_hand = [float(one[where].mean()) for one, where in zip(difference_mm, hand, strict=True)]
    np.testing.assert_allclose(pictures.hand_mm[:, 0], by_hand, rtol=1e-3)
    np.testing.assert_allclose(pictures.image_mm[:, 0], difference_mm.square().mean(dim=(1, 2)).sqrt(), rtol=1e-3)


def test_joints_are_where_the_crop_puts_them(crops: CropDataset) -> None:
    pictures = take_pictures(make_parts()[1], crops)
    store = crops.store
    for frame, row in enumerate(pictures.rows.tolist()):
        expected = points_to_patch(
            np.asarray(store.joints_mm[row], np.float64),
            store.patch_from_image[row],
            store.centre_mm[row],
            float(store.cube_mm[row]),
            store.camera,
        )
        np.testing.assert_allclose(pictures.truth_px[frame], expected, atol=1e-2)


@pytest.mark.parametrize(("iterations", "steps"), [(1, ("0", "1")), (2, ("0", "1", "2")), (7, ("0", "1", "2", "7"))])
def test_a_loop_is_seen_at_its_first_steps_and_at_its_end(
    crops: CropDataset, iterations: int, steps: tuple[str, ...]
) -> None:
    loop = make_loop(iterations)
    pictures = take_pictures(loop, crops)
    assert pictures.steps == steps
    tensors = crops.tensors()
    predict = load_method("feedback_loop").predict
    assert predict is not None
    poses = predict(loop, tensors["depth"][pictures.rows])[-1]
    error_mm = (poses - tensors["joints"][pictures.rows]).norm(dim=-1).mean(dim=1) * 125
    np.testing.assert_allclose(pictures.pose_mm[:, -1], error_mm, rtol=1e-3)
    start_mm = pictures.pose_mm[:3, 0]
    assert (np.diff(start_mm) >= 0).all(), "the shares rise"


def test_single_updates_are_followed_from_noisy_poses(crops: CropDataset) -> None:
    """Arrows of the index finger's tip, of the frames that stand first: where each begins, and where it ends."""
    trained = make_loop()
    pictures, store = take_pictures(trained, crops), crops.store
    updates = pictures.updates
    assert updates is not None
    assert (updates.joint, updates.places.tolist()) == ("index_tip", [0, 1, 2])
    assert updates.starts_px.shape == updates.ends_px.shape == (3, COPIES, 3)
    assert updates.before_mm.mean() == pytest.approx(FOLLOWED_MM, rel=0.1)
    tip, loop = crops.joint_names.index(updates.joint), trained.build()
    row = pictures.rows[1]
    truth, depth = (crops.tensors()[name][row] for name in ("joints", "depth"))
    noise = torch.randn((3 * COPIES, JOINTS, 3), generator=torch.Generator().manual_seed(NOISE_SEED))[COPIES + 4]
    start = truth + noise * FOLLOWED_MM / NORM_OF_UNIT_NOISE / 125
    with torch.no_grad():
        end = start + loop.updater(depth.half().float()[None], loop.synthesizer(start[None]))[0]
    for pose, pixels, error_mm in (
        (start, updates.starts_px, updates.before_mm),
        (end, updates.ends_px, updates.after_mm),
    ):
        point_mm = pose[tip].double().numpy() * 125 + store.centre_mm[row]
        expected = points_to_patch(
            point_mm[None], store.patch_from_image[row], store.centre_mm[row], float(store.cube_mm[row]), store.camera
        )
        np.testing.assert_allclose(pixels[1, 4], expected[0], atol=1e-2)
        assert error_mm[1, 4] == pytest.approx(float((pose - truth)[tip].norm()) * 125, rel=1e-3)
    assert take_pictures(make_parts()[1], crops).updates is None, "a synthesizer updates nothing"


def test_a_search_and_the_loop_beside_it_show_the_same_frames(crops: CropDataset) -> None:
    settings = ImageSearch(optimiser="lbfgsb", iterations=4, frames=20)
    search = take_pictures(Trained("image_search", settings, {}, JOINTS, SIZE_PX, make_parts()[:2]), crops)
    loop = take_pictures(make_loop(frames=20), crops)
    assert search.steps == ("0", "1", "2", "4")
    np.testing.assert_array_equal(search.rows, loop.rows)
    assert search.chosen == loop.chosen
    assert (search.image_mm[:, -1] <= search.image_mm[:, 0]).all()
