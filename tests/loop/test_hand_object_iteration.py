"""Algorithm 1 with parts whose answers are known: what lies where, what hides what, and where it ends."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.geometry.corner_loss import nearest_corner_loss
from handbench.geometry.patch_frame import PatchFrame, points_to_mm, project_points
from handbench.geometry.symmetry import find_symmetry
from handbench.loop.augmentation import CropBatch
from handbench.loop.hand_object_iteration import (
    HandObjectLoop,
    HandSide,
    ObjectSide,
    Parts,
    Placed,
    Recrop,
    Step,
    SynthesizedPatch,
    look,
)
from handbench.loop.held_object import Held, straighten
from handbench.networks.deepprior import DeepPrior
from handbench.networks.localizer import Localizer
from handbench.networks.point_predictor import PointPredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2019
from tests.geometry.held_scene import MIDDLE_MCP, HeldScene, crop_scene, draw_scene
from tests.loop.hand_object_stage import LARGE_MM, SIZE, Says, Stage


@pytest.fixture(scope="module", params=["Rigid", "Pinch"])
def scene(request: pytest.FixtureRequest) -> HeldScene:
    return draw_scene(request.param)


@pytest.mark.parametrize("recrop", ["localizer", "pose"])
def test_perfect_updaters_reach_the_truth(scene: HeldScene, recrop: Recrop) -> None:
    stage = Stage(scene, recrop)
    steps = stage.loop(stage.crops, stage.held)
    assert len(steps) == 3
    assert (steps[0].hand.points_mm - stage.joints_mm).norm(dim=2).mean() > 15
    assert (steps[0].object.points_mm - stage.corners_mm).norm(dim=2).mean() > 3
    for step in steps[1:]:
        assert (step.hand.points_mm - stage.joints_mm).abs().max() < 1e-3
        assert (step.object.points_mm - stage.corners_mm).abs().max() < 1e-3


def test_geometry_keeps_its_precision_where_networks_have_half(scene: HeldScene) -> None:
    stage = Stage(scene, "pose")
    whole = stage.loop(stage.crops, stage.held)
    whole_images = stage.loop.draw_merged(stage.truth, stage.crops.frame, stage.held)
    with torch.autocast("cpu", torch.bfloat16):
        half = stage.loop(stage.crops, stage.held)
        half_images = stage.loop.draw_merged(stage.truth, stage.crops.frame, stage.held)
    for exact, found in zip(whole, half, strict=True):
        torch.testing.assert_close(found.hand.points_mm, exact.hand.points_mm, atol=1e-3, rtol=0)
        torch.testing.assert_close(found.object.points_mm, exact.object.points_mm, atol=1e-3, rtol=0)
    torch.testing.assert_close(half_images, whole_images, atol=1e-5, rtol=0)
    drawn = SynthesizedPatch(Says(torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bfloat16)))
    stage.loop.hand.drawer = drawn
    assert stage.loop.draw_merged(stage.truth, stage.crops.frame, stage.held).dtype == torch.float32


@pytest.mark.parametrize("recrop", ["localizer", "pose"])
def test_each_iteration_leaves_its_share(scene: HeldScene, recrop: Recrop) -> None:
    stage = Stage(scene, recrop, share=0.5, iterations=3)
    errors = [
        float((step.hand.points_mm - stage.joints_mm).detach().norm()) for step in stage.loop(stage.crops, stage.held)
    ]
    np.testing.assert_allclose(np.array(errors[1:]) / errors[:-1], 0.5, rtol=1e-3)


def test_cubes_are_put_where_the_localizers_point(scene: HeldScene) -> None:
    stage = Stage(scene, "localizer")
    for step in stage.loop(stage.crops, stage.held):
        for placed, place_mm in zip((step.hand, step.object), stage.beside_mm, strict=True):
            torch.testing.assert_close(placed.frame.centre_mm, place_mm, atol=2e-3, rtol=0)
            torch.testing.assert_close(points_to_mm(placed.points, placed.frame), placed.points_mm, atol=1e-3, rtol=0)


def test_cubes_follow_the_pose_where_they_are_to(scene: HeldScene) -> None:
    stage = Stage(scene, "pose", share=0.5)
    steps = stage.loop(stage.crops, stage.held)
    torch.testing.assert_close(steps[0].hand.frame.centre_mm, stage.beside_mm[0], atol=2e-3, rtol=0)
    for before, after in pairwise(steps):
        torch.testing.assert_close(after.hand.frame.centre_mm, before.hand.points_mm[:, MIDDLE_MCP])
        torch.testing.assert_close(after.object.frame.centre_mm, before.object.points_mm.mean(dim=1))
    assert [len(drawer.asked) for drawer in (stage.hand_drawer, stage.object_drawer)] == [2, 2]


def test_a_localizer_that_points_out_of_its_cube_is_not_followed(scene: HeldScene) -> None:
    stage = Stage(scene, "localizer")
    stage.loop.hand.localizer = Says(torch.tensor([[0.2, 1.3, 0.0]]))
    start = stage.loop(stage.crops, stage.held)[0]
    torch.testing.assert_close(start.hand.frame.centre_mm, stage.crops.centre_mm)


def test_corners_are_rigid_after_every_step(scene: HeldScene) -> None:
    stage = Stage(scene, "localizer", share=0.3)
    for step in stage.loop(stage.crops, stage.held):
        torch.testing.assert_close(
            straighten(step.object.points_mm, stage.held), step.object.points_mm, atol=1e-3, rtol=0
        )


def test_at_the_truth_both_channels_show_the_same(scene: HeldScene) -> None:
    """S is drawn, pasted into D, merged and cut again; c is cut from D. Outlines within a pixel, depths within a mm."""
    stage = Stage(scene, "pose")
    merged = stage.loop.draw_merged(stage.truth, stage.crops.frame, stage.held)
    for placed in (stage.truth.hand, stage.truth.object):
        seen, drawn = look(stage.crops, merged, placed.frame)
        half_mm = float(placed.frame.cube_mm) / 2
        # What reaches beyond the other's cube is not drawn: only where both cubes are is everything there.
        shown, expected = drawn < BACKGROUND, seen < BACKGROUND
        inner = torch.nn.functional.max_pool2d((~expected).float(), 3, 1, 1) == 0
        outer = torch.nn.functional.max_pool2d(expected.float(), 3, 1, 1) == 0
        assert not (shown & outer).any()
        assert (shown & inner).sum() > 0.93 * inner.sum()
        assert ((seen - drawn).abs()[shown & expected] * half_mm).median() < 0.5
        assert ((seen - drawn).abs()[shown & expected] * half_mm > 5).float().mean() < 0.08


def test_pasted_back_the_drawing_lies_on_what_it_shows(scene: HeldScene) -> None:
    """In D: the middle of the drawn box is where its centre projects, its depth that of the image."""
    stage = Stage(scene, "pose")
    merged = stage.loop.draw_merged(stage.truth, stage.crops.frame, stage.held)
    both = (merged < BACKGROUND) & (stage.crops.depth < BACKGROUND)
    assert ((merged - stage.crops.depth).abs()[both] * LARGE_MM / 2).median() < 0.5
    shifts = {}
    for across in range(-2, 3):
        for down in range(-2, 3):
            moved = torch.roll(merged, (down, across), dims=(2, 3))
            shifts[across, down] = float((moved - stage.crops.depth).abs().mean())
    assert min(shifts, key=shifts.__getitem__) == (0, 0)


def test_the_nearer_one_hides_the_other() -> None:
    """Two walls, the hand's at 450 mm on the left, the object's at 480 mm; half edges are 100, 90 and 200 mm."""
    scene = draw_scene("Rigid")
    stage = Stage(scene, "pose")
    places = [torch.tensor([[0.0, 0.0, 460.0]]), torch.tensor([[0.0, 0.0, 470.0]])]
    hand, box = (side.frame_at(place) for side, place in zip((stage.loop.hand, stage.loop.object), places, strict=True))
    left = torch.full((1, 1, SIZE, SIZE), BACKGROUND)
    left[..., :32] = -0.1
    stage.loop.hand.drawer = SynthesizedPatch(Says(left))
    stage.loop.object.drawer = SynthesizedPatch(Says(torch.full((1, 1, SIZE, SIZE), 10 / 90)))
    _, frame = crop_scene(np.full((240, 320), 470.0, np.float32), np.array([0.0, 0.0, 470.0]), LARGE_MM, 2 * SIZE)
    step = Step(Placed(torch.zeros(1, 21, 3), hand), Placed(torch.zeros(1, 8, 3), box))
    merged_mm = stage.loop.draw_merged(step, frame, stage.held)[0, 0].detach() * LARGE_MM / 2 + 470
    middle = project_points(torch.tensor([[[0.0, 0.0, 460.0]]]), frame.focal_px, frame.principal_px)[0, 0]
    row, column = middle.round().long().flip(0).tolist()
    torch.testing.assert_close(merged_mm[row, column - 10 : column - 2], torch.full((8,), 450.0))
    torch.testing.assert_close(merged_mm[row, column + 2 : column + 10], torch.full((8,), 480.0))
    assert merged_mm[0, 0] == pytest.approx(670.0), "beyond both cubes lies the background"


def test_what_a_network_draws_far_away_is_background() -> None:
    image = torch.tensor([[[[0.3, 0.95], [0.999, -1.0]]]])
    frame = PatchFrame(torch.zeros(1, 3), torch.ones(1), torch.ones(1, 2), torch.zeros(1, 2), 2)
    held = Held(torch.zeros(1, dtype=torch.int64), torch.ones(1, 3))
    drawn = SynthesizedPatch(Says(image))(torch.zeros(1, 21, 3), frame, held)
    assert drawn.detach().flatten().tolist() == pytest.approx([0.3, 1.0, 1.0, -1.0])


@pytest.mark.parametrize("recrop", ["localizer", "pose"])
def test_gradients_reach_every_part(scene: HeldScene, recrop: Recrop) -> None:
    stage = Stage(scene, recrop)
    patterns = torch.randn(2, SIZE, SIZE, generator=torch.manual_seed(1))

    class Reading(nn.Module):
        """An updater that depends on both images."""

        def __init__(self, points: int) -> None:
            super().__init__()
            self.points = points
            self.weight = nn.Parameter(torch.full((2,), 1e-3))

        def forward(self, observed: Tensor, synthesized: Tensor) -> Tensor:
            images = torch.cat([observed, synthesized], dim=1)
            found = (images * patterns * self.weight[:, None, None]).sum(dim=(1, 2, 3))
            return found[:, None, None] * torch.linspace(-1, 1, 3 * self.points).view(1, -1, 3)

    for side, points in ((stage.loop.hand, 21), (stage.loop.object, 8)):
        side.updater = Reading(points)
    last = stage.loop(stage.crops, stage.held)[-1]
    ((last.hand.points_mm - stage.joints_mm) ** 2).mean().add(
        ((last.object.points_mm - stage.corners_mm) ** 2).mean()
    ).backward()
    for name, parameter in stage.loop.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_loop_stays_on_its_device() -> None:
    """ "meta" refuses to mix with the CPU, as a GPU does; the exact renderer alone draws on the CPU."""
    meta = torch.device("meta")
    symmetries = [find_symmetry("cylinder", (40.0, 90.0, 40.0)), find_symmetry("sphere", (50.0, 50.0, 50.0))]
    hand, box = (
        Parts(
            Localizer(32),
            predictor,
            SynthesizedPatch(Synthesizer(points, 16, tanh=True, filters=2)),
            Updater2019(points, 16, filters=2),
            200.0,
        )
        for predictor, points in ((DeepPrior(21, 16), 21), (PointPredictor(8, 16), 8))
    )
    sides = HandSide(hand, 16, MIDDLE_MCP), ObjectSide(box, 16, symmetries)
    loop = HandObjectLoop(*sides, iterations=1, recrop="pose").to(meta)
    batch = torch.zeros(3, device=meta)
    pair, place = torch.zeros(3, 2, device=meta), torch.zeros(3, 3, device=meta)
    crops = CropBatch(torch.zeros(3, 1, 32, 32, device=meta), place[:, None][:, :0], place, batch, pair, pair)
    last = loop(crops, Held(torch.zeros(3, dtype=torch.int64, device=meta), place))[-1]
    assert last.hand.points_mm.shape == (3, 21, 3)
    assert last.hand.points_mm.device == last.object.points_mm.device == meta
    which = torch.zeros(3, dtype=torch.int64, device=meta)
    assert nearest_corner_loss(last.object.points, last.object.points, symmetries, which).device == meta
