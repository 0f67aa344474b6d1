"""A renderer in the place of the synthesizer network: what the loop could reach with a perfect image of each pose.

feedback19's future work, and the upper bound of the loop: joints go back to the pose of the hand model by inverse
kinematics, and the posed hand is drawn. No network, no blur, and nothing that a pose could not do.

What training finds is the size of the hand, relative to the reference hand, that fits the labels best. A patch does
not say how far away its cube is, so all are drawn at one distance; the error is that of the perspective within a hand.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.conventions import BACKGROUND, DATASETS, Camera
from handbench.datasets.torch_dataset import CropDataset
from handbench.fitting.inverse_kinematics import fit_pose
from handbench.geometry.mesh import Mesh
from handbench.hand.keypoints import Hand, keypoint_positions, scored_keypoints
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import REFERENCE_SHAPE, vary_shape
from handbench.hand.skinning import make_skin, skin_vertices
from handbench.loop.crop_data import divide
from handbench.methods import Method, State, Trained, TrainingRun
from handbench.modules import HandRenderer
from handbench.rendering.zbuffer import render_layers

DISTANCE = 5.5
"""Of the cube's centre, in half edges of the cube: 825 mm for NYU, whose hands are at 700 to 1,085 mm."""
SIZES = np.arange(0.70, 1.081, 0.02)
FITTED_FRAMES = 200
ROUNDS = 8


class DrawnHand(nn.Module):
    """synth(p) without a network; it has no gradient."""

    def __init__(self, dataset: str, size_px: int, hand_size: float) -> None:
        super().__init__()
        convention = DATASETS[dataset]
        self.half_mm = convention.cube_mm[""] / 2
        self.hand = make_hand(dataset, hand_size)
        self.skin = make_skin(self.hand.shape)
        focal, middle = size_px / 2 * DISTANCE, (size_px - 1) / 2
        self.camera = Camera(focal, focal, middle, middle, size_px, size_px)

    def forward(self, poses: Float[Tensor, "batch joints 3"]) -> Float[Tensor, "batch 1 size size"]:
        centre_mm = torch.tensor([0.0, 0.0, DISTANCE * self.half_mm])
        joints_mm = poses.detach().cpu().float() * self.half_mm + centre_mm
        # Least squares: an updater may train in bfloat16, in which no system of equations is solved.
        with torch.autocast("cpu", enabled=False):
            fitted = fit_pose(self.hand, joints_mm, ROUNDS)
        rotations, origins = forward_kinematics(fitted.numpy(), self.hand.shape)
        images = [self._draw(vertices_mm) for vertices_mm in skin_vertices(self.skin, rotations, origins)]
        return torch.from_numpy(np.stack(images))[:, None].to(poses.device)

    def _draw(self, vertices_mm: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "size size"]:
        depth_mm, layer = render_layers([Mesh(vertices_mm, self.skin.faces)], self.camera)
        depth = (depth_mm / self.half_mm - DISTANCE).clip(-1.0, 1.0)
        return np.where(layer < 0, BACKGROUND, depth).astype(np.float32)


def make_hand(dataset: str, hand_size: float) -> Hand:
    """The reference hand at another size, with the joints that the dataset is scored on."""
    return Hand(vary_shape(REFERENCE_SHAPE, size=hand_size), scored_keypoints(dataset))


def train(crops: CropDataset, settings: HandRenderer, run: TrainingRun) -> State:
    """The size at which the hand's joints come nearest to the labels of evenly spaced frames."""
    data, dataset = divide(crops).seen, crops.store.card["protocol"]["dataset"]
    rows = torch.linspace(0, len(data["joints"]) - 1, min(FITTED_FRAMES, len(data["joints"]))).long()
    joints_mm = data["joints"][rows] * (data["cube_mm"][rows] / 2)[:, None, None]
    # Far from the camera's singular directions, as the fit sees hands in use.
    joints_mm = joints_mm + torch.tensor([0.0, 0.0, 1000.0])
    left_mm = [measure_fit_mm(make_hand(dataset, size), joints_mm) for size in SIZES]
    best = int(np.argmin(left_mm))
    run.log({"hand_size": float(SIZES[best]), "fit_mm": left_mm[best]}, 0)
    word = torch.tensor(list(DATASETS).index(dataset))
    return {"hand_size": torch.tensor(float(SIZES[best])), "dataset": word}


def measure_fit_mm(hand: Hand, joints_mm: Float[Tensor, "frames joints 3"]) -> float:
    """Mean distance of the fitted hand's joints from the labels."""
    fitted_mm = keypoint_positions(hand.keypoints, hand.shape, fit_pose(hand, joints_mm))
    return float((fitted_mm - joints_mm).norm(dim=-1).mean())


def build_model(trained: Trained) -> DrawnHand:
    dataset = list(DATASETS)[int(trained.state["dataset"])]
    return DrawnHand(dataset, trained.size_px, float(trained.state["hand_size"]))


METHOD = Method(train, build_model)
