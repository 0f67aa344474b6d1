"""A frame with hand and box and nothing else, and Algorithm 1 with parts that know the truth of it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.geometry.box import box_mesh
from handbench.geometry.mesh import Mesh
from handbench.geometry.patch_frame import PatchFrame, frame_cube, points_to_cube, points_to_mm
from handbench.geometry.symmetry import find_symmetry
from handbench.loop.augmentation import CropBatch
from handbench.loop.drawn_object import DrawnObject
from handbench.loop.hand_object_iteration import HandObjectLoop, HandSide, ObjectSide, Parts, Placed, Recrop, Step
from handbench.loop.held_object import Held, settle_corners
from handbench.loop.localization import find_offsets
from handbench.rendering.zbuffer import render_each, render_layers
from tests.geometry.held_scene import CAMERA, MIDDLE_MCP, HeldScene, crop_scene

SIZE, LARGE_MM, HAND_MM, OBJECT_MM = 64, 400.0, 200.0, 180.0


class Drawn(nn.Module):
    """A drawer that remembers what it was asked to draw."""

    def __init__(self, draw: Callable[[PatchFrame], Tensor] | nn.Module) -> None:
        super().__init__()
        self.draw = draw
        self.asked: list[Placed] = []

    def forward(self, points: Tensor, frame: PatchFrame, held: Held) -> Tensor:
        self.asked.append(Placed(points_to_mm(points, frame), frame))
        return self.draw(points, frame, held) if isinstance(self.draw, nn.Module) else self.draw(frame)


class Knowing(nn.Module):
    """An updater that knows the truth, and of the pose what the drawer was asked for."""

    def __init__(self, truth_mm: Tensor, drawer: Drawn, share: float) -> None:
        super().__init__()
        self.truth_mm, self.drawer, self.share = truth_mm, drawer, share
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, observed: Tensor, synthesized: Tensor) -> Tensor:
        self.seen.append((observed, synthesized))
        placed = self.drawer.asked[-1]
        return self.share * (points_to_cube(self.truth_mm, placed.frame) - placed.points)


class Says(nn.Module):
    """A network with one answer, which can be learned."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer.clone())

    def forward(self, images: Tensor) -> Tensor:
        return self.answer


def draw_mesh(mesh: Mesh, frame: PatchFrame) -> Tensor:
    """What a perfect synthesizer would draw of a mesh in camera axes."""
    pinhole = torch.cat([frame.focal_px, frame.principal_px], dim=1).double().detach().numpy()
    still = np.eye(3)[None], np.zeros((1, 3)), np.ones((1, 3))
    depth = torch.from_numpy(render_each([mesh], np.zeros(1, np.int64), *still, pinhole, frame.size_px))[:, None]
    normalised = ((depth - frame.centre_mm[0, 2].detach()) / (frame.cube_mm[0] / 2)).clamp(-1, 1)
    return torch.where(depth > 0, normalised, BACKGROUND)


def find_offset(point_mm: np.ndarray, crops: CropBatch) -> Tensor:
    point = torch.from_numpy(point_mm).float()[None, None]
    joints = (point - crops.centre_mm[:, None]) / (crops.cube_mm / 2)[:, None, None]
    return find_offsets(CropBatch(crops.depth, joints, *_frame_fields(crops.frame)))


def _frame_fields(frame: PatchFrame) -> tuple[Tensor, ...]:
    return frame.centre_mm, frame.cube_mm, frame.focal_px, frame.principal_px


class Stage:
    """A frame without noise and without anything else in it, and a loop whose parts know the truth."""

    def __init__(self, scene: HeldScene, recrop: Recrop, *, share: float = 1.0, iterations: int = 2) -> None:
        self.box_mesh = box_mesh(scene.box)
        whole_mm, _ = render_layers([scene.hand, self.box_mesh], CAMERA)
        depth, frame = crop_scene(whole_mm, scene.middle_mm, LARGE_MM, 2 * SIZE)
        self.crops = CropBatch(depth, torch.zeros(1, 0, 3), *_frame_fields(frame))
        self.held = Held(torch.zeros(1, dtype=torch.int64), torch.from_numpy(scene.box.size_mm).float()[None])
        self.joints_mm = torch.from_numpy(scene.joints_mm).float()[None]
        turn, middle = torch.from_numpy(scene.box.rotation).float(), torch.from_numpy(scene.box.centre_mm).float()
        symmetries = [find_symmetry("cuboid", scene.box.size_mm.tolist())]
        self.corners_mm = settle_corners(self.held.corners_mm @ turn.T + middle, self.held, symmetries)
        solid = Mesh((self.box_mesh.vertices_mm - scene.box.centre_mm) @ scene.box.rotation, self.box_mesh.faces)
        self.hand_drawer = Drawn(lambda frame: draw_mesh(scene.hand, frame))
        self.object_drawer = Drawn(DrawnObject([solid]))
        noise = torch.randn(1, 29, 3, generator=torch.manual_seed(0)) / 8
        # 15 and 12 mm beside the truth.
        beside = [scene.joints_mm[MIDDLE_MCP] + [9.0, -12.0, 0.0], scene.box.centre_mm + [-8.0, 4.0, 8.0]]
        hand = Parts(
            Says(find_offset(beside[0], self.crops)),
            Says(noise[:, :21]),
            self.hand_drawer,
            Knowing(self.joints_mm, self.hand_drawer, share),
            HAND_MM,
        )
        box = Parts(
            Says(find_offset(beside[1], self.crops)),
            Says(points_to_cube(self.corners_mm, self.frame_of_object(beside[1])) + noise[:, 21:]),
            self.object_drawer,
            Knowing(self.corners_mm, self.object_drawer, share),
            OBJECT_MM,
        )
        sides = HandSide(hand, SIZE, MIDDLE_MCP), ObjectSide(box, SIZE, symmetries)
        self.loop = HandObjectLoop(*sides, iterations, recrop)
        self.beside_mm = [torch.from_numpy(one).float()[None] for one in beside]

    def frame_of_object(self, centre_mm: np.ndarray) -> PatchFrame:
        return frame_cube(torch.from_numpy(centre_mm).float()[None], torch.tensor([OBJECT_MM]), SIZE)

    @property
    def truth(self) -> Step:
        hand = self.loop.hand.frame_at(self.joints_mm[:, MIDDLE_MCP])
        box = self.loop.object.frame_at(self.corners_mm.mean(dim=1))
        return Step(Placed(self.joints_mm, hand), Placed(self.corners_mm, box))
