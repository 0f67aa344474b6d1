"""P, the hand's surface as points that poses carry along and that learning may move (refine Sec. 3.3.1, Eq. 2).

    P       points_mm    (N, 3)          in the bind pose, sampled evenly from the skin of a hand: the only parameter
    w       weights      (N, 16)         how much each point follows each bone; interpolated over the skin's triangles
    theta   quaternions  (batch, 16, 4)  every bone's rotation in camera axes, (w, x, y, z), as truth.npz has them
    M       frames       (batch, 16)     rotation and origin of every bone: `place_bones`
    f_skin  forward      (batch, N, 3)   sum over bones of w_ij M_j p_i, in millimetres about the wrist

The bones are those of hand/skeleton.py, their lengths those of the shape that P was sampled from. Quaternions are taken
at unit length. No translation is part of theta: points and joints lie about the wrist, and networks/crop_view.py finds
out where in a crop the wrist is.

What places joints and points lies in buffers, and so does the whole hand: a checkpoint is all that prediction needs,
and what else asks whose hand it is finds it there.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.nn.functional import normalize

from handbench.hand.collision import cylinder_radii_mm
from handbench.hand.keypoints import Keypoints
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape
from handbench.hand.skinning import Skin, make_skin
from handbench.networks.hand_layer import keep_digits

Quaternions = Float[Tensor, "batch 16 4"]
Rotations = Float[Tensor, "batch 16 3 3"]
Origins = Float[Tensor, "batch 16 3"]
Points = Float[Tensor, "batch points 3"]

FIXED = ("weights", "bind_rotations", "bind_origins_mm", "radii_mm", "bones", "local_mm", *SHAPE_FIELDS)
"""The buffers of a cloud."""


class PosedCloud(nn.Module):
    """f_skin of Eq. 2, and the joints of the same pose."""

    weights: Float[Tensor, "points 16"]
    bind_rotations: Float[Tensor, "16 3 3"]
    bind_origins_mm: Float[Tensor, "16 3"]
    bases_mm: Float[Tensor, "5 3"]
    """Where each finger begins in the palm."""
    lengths_mm: Float[Tensor, "5 3"]
    rest_rotations: Float[Tensor, "5 3 3"]
    girths: Float[Tensor, "5"]
    palm_stretch: Float[Tensor, "3"]
    radii_mm: Float[Tensor, "15"]
    """Of the cylinder from each bone but the palm to its parent (Eq. 7)."""
    bones: Int64[Tensor, "joints"]
    local_mm: Float[Tensor, "joints 3"]
    """The dataset's joints, each in its bone's frame."""

    def __init__(self, points_mm: Float[Tensor, "points 3"], fixed: Mapping[str, Tensor]) -> None:
        """P to begin with, and the buffers; `make_cloud` finds them for a hand, `read_cloud` in a checkpoint."""
        super().__init__()
        self.points_mm = nn.Parameter(points_mm.clone())
        for name in FIXED:
            self.register_buffer(name, fixed[name])

    def forward(self, quaternions: Quaternions) -> Points:
        """The posed points, millimetres about the wrist."""
        return self.pose_points(*self.place_bones(quaternions))

    def pose_points(self, rotations: Rotations, origins: Origins) -> Points:
        """The same from bones that are already placed."""
        with keep_digits(rotations):
            return skin_points(self.points_mm, self.weights, *self.find_moves(rotations, origins))

    def joints(self, quaternions: Quaternions) -> Float[Tensor, "batch joints 3"]:
        """The dataset's joints, millimetres about the wrist."""
        rotations, origins = self.place_bones(quaternions)
        with keep_digits(rotations):
            return origins[:, self.bones] + torch.einsum("bjik,jk->bji", rotations[:, self.bones], self.local_mm)

    def find_shape(self) -> HandShape:
        """The hand that P was sampled from; P's own change moves no bone."""
        return HandShape(**{name: getattr(self, name).cpu().numpy().astype(np.float64) for name in SHAPE_FIELDS})

    def place_bones(self, quaternions: Quaternions) -> tuple[Rotations, Origins]:
        """Forward kinematics: every bone begins where its parent ends, a finger's first one at its place in the palm.

        As each rotation is the bone's own in camera axes, only places are handed down a finger.
        """
        rotations = quaternions_to_rotations(quaternions)
        with keep_digits(rotations):
            bases = torch.einsum("bik,fk->bfi", rotations[:, 0], self.bases_mm)
        # A bone lies along its -y.
        along = -rotations[:, 1:, :, 1].unflatten(1, (5, 3)) * self.lengths_mm[..., None]
        steps = torch.cat([torch.zeros_like(along[:, :, :1]), along[:, :, :2].cumsum(dim=2)], dim=2)
        fingers = (bases[:, :, None] + steps).flatten(1, 2)
        return rotations, torch.cat([torch.zeros_like(fingers[:, :1]), fingers], dim=1)

    def find_moves(self, rotations: Rotations, origins: Origins) -> tuple[Rotations, Origins]:
        """M: from the bind pose to where each bone is now."""
        turns = rotations @ self.bind_rotations.mT
        return turns, origins - torch.einsum("bjik,jk->bji", turns, self.bind_origins_mm)


def skin_points(
    points: Float[Tensor, "points 3"], weights: Float[Tensor, "points 16"], turns: Rotations, shifts: Origins
) -> Points:
    """sum_j w_ij M_j p_i, with gradients by M and by P alike (Eq. 2).

    What depends on the cloud is put into one matrix; what is left is one product, as in hand/skinning.py.
    """
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    spread = (weights.mT[:, None] * homogeneous.mT).flatten(0, 1)
    moves = torch.cat([turns, shifts[..., None]], dim=-1).transpose(1, 2).flatten(2)
    return (moves @ spread).mT


def quaternions_to_rotations(quaternions: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Of (w, x, y, z) at unit length; of four zeros, which are no rotation, the identity."""
    w, x, y, z = normalize(quaternions, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=-1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=-1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def sample_skin(
    skin: Skin, points: int, seed: int
) -> tuple[Float64[np.ndarray, "points 3"], Float64[np.ndarray, "points 16"]]:
    """Points on the skin's triangles, as likely anywhere on its surface, and their weights."""
    rng = np.random.default_rng(seed)
    corners = skin.vertices_mm[skin.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    # One draw in each of as many equal parts of the surface: no part of the hand is left bare by chance.
    places = (np.arange(points) + rng.random(points)) / points
    faces = np.searchsorted(np.cumsum(areas) / areas.sum(), places).clip(max=len(areas) - 1)
    root, along = np.sqrt(rng.random(points)), rng.random(points)
    shares = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    chosen = skin.faces[faces]
    return (
        np.einsum("pc,pci->pi", shares, skin.vertices_mm[chosen]),
        np.einsum("pc,pcb->pb", shares, skin.weights[chosen]),
    )


def make_cloud(shape: HandShape, keypoints: Keypoints, points: int, seed: int = 0) -> PosedCloud:
    """The hand whose skin is sampled, and the joints that are asked for."""
    skin = make_skin(shape)
    points_mm, weights = sample_skin(skin, points, seed)
    fixed = {
        "weights": weights,
        "bind_rotations": skin.bind_rotations,
        "bind_origins_mm": skin.bind_origins_mm,
        "radii_mm": cylinder_radii_mm(shape),
        "local_mm": keypoints.local_mm(shape),
        **{name: getattr(shape, name) for name in SHAPE_FIELDS},
    }
    tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in fixed.items()}
    return PosedCloud(torch.tensor(points_mm, dtype=torch.float32), {**tensors, "bones": torch.tensor(keypoints.bones)})


def read_cloud(state: Mapping[str, Tensor], prefix: str = "") -> PosedCloud:
    """The cloud whose tensors stand in a checkpoint, their names after `prefix`."""
    return PosedCloud(state[f"{prefix}points_mm"], {name: state[prefix + name] for name in FIXED})
