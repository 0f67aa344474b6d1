"""The hand model layer of deepmodel (Sec. 3.1, Eq. 4 and the appendix): pose parameters to joints, without weights.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016.

    Theta    pose       (batch, 26)    palm's centre in half cube edges around the crop's, then radians as in DOFS
    F(Theta)            (batch, J, 3)  joints in half cube edges around the crop's centre
    bounds   limits_rad (20, 2)        of the finger angles; wrist and palm rotation have none

Theta places the centre of the palm, at which the paper's tree is rooted, and the palm turns about it. Everywhere else
here a pose has the wrist's place (skeleton.DOFS): `to_wrist` and `from_wrist` go between the two. It matters: a turn
about the wrist moves all joints the same way, much as a shift of the wrist does, and descent then has to pay one off
against the other. Crops are centred on the palm, so that its place says little and the turn is learned by itself.

Bones are millimetres and a crop is measured in half edges of its cube, so the edge enters: the same hand is larger in a
smaller cube. Whoever trains gives the edge of every crop. Without it the edge is `cube_mm`, that of the training crops,
and the layer's hand keeps its size within the patch: crops of a smaller person are cut with a smaller cube, for the
very purpose that all hands look alike in it, and the joints that come out are of a hand as much smaller.

What the layer is made of lies in its buffers in float64, so that a checkpoint is all that prediction needs.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.hand.keypoints import Keypoints
from handbench.hand.kinematics import fix_bones, hand_rotation, place_bones
from handbench.hand.kinematics_gradient import PlaceBones
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape

POINTS = ("bones", "fractions", "offsets_mm")
PALM = 6
"""Parameters before the first finger angle: three of the wrist, three of the palm's rotation."""


class HandLayer(nn.Module):
    """F of Eq. 1."""

    limits_rad: Float[Tensor, "20 2"]
    cube_mm: Float[Tensor, ""]
    fixed: Float[Tensor, "20 3"]
    steps_mm: Float[Tensor, "5 2 1 1"]
    local_mm: Float[Tensor, "joints 3"]
    palm_mm: Float[Tensor, "3"]

    def __init__(
        self, shape: HandShape, keypoints: Keypoints, limits_rad: Float[np.ndarray, "20 2"], cube_mm: float
    ) -> None:
        super().__init__()
        self.bones = [int(bone) for bone in keypoints.bones]
        described = {name: getattr(shape, name) for name in SHAPE_FIELDS}
        described |= {name: getattr(keypoints, name) for name in POINTS}
        for name, values in (described | {"limits_rad": limits_rad, "cube_mm": cube_mm}).items():
            self.register_buffer(f"hand_{name}", torch.tensor(np.asarray(values)))
        # What the forward pass multiplies with follows from these and is no part of a checkpoint.
        fixed, steps_mm = fix_bones(shape)
        derived = {
            "fixed": fixed,
            "steps_mm": steps_mm,
            "local_mm": keypoints.local_mm(shape),
            # Halfway from the wrist to the middle finger's first joint: on NYU 6 mm from PALM_5.
            "palm_mm": shape.bases_mm[2] / 2,
            "limits_rad": limits_rad,
            "cube_mm": cube_mm,
        }
        for name, values in derived.items():
            self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.float32), persistent=False)

    def forward(
        self, pose: Float[Tensor, "batch 26"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch joints 3"]:
        """Rotations along each joint's path from the palm, then the joint's place on its bone (Eq. 4)."""
        half_mm = self._half_edge(cube_mm)
        # In use torch's own operations serve, which an exporter can follow.
        place = PlaceBones.apply if self.training else place_bones
        with keep_digits(pose):
            pose_mm = torch.cat([pose[:, :3] * half_mm, pose[:, 3:]], dim=1)
            rotations, origins = place(pose_mm, self.fixed, self.steps_mm)
            moved = torch.einsum("bjik,jk->bji", rotations[:, self.bones], self.local_mm)
            wrist_mm = rotations[:, :1] @ self.palm_mm
            return (origins[:, self.bones] + moved - wrist_mm) / half_mm[..., None]

    def from_wrist(
        self, pose: Float[Tensor, "batch 26"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch 26"]:
        """Theta from the same with the wrist's place in half cube edges."""
        return self._move_root(pose, self._half_edge(cube_mm))

    def to_wrist(
        self, pose: Float[Tensor, "batch 26"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch 26"]:
        """The inverse."""
        return self._move_root(pose, -self._half_edge(cube_mm))

    def _move_root(self, pose: Float[Tensor, "batch 26"], half_mm: Float[Tensor, "#batch 1"]) -> Tensor:
        offset = hand_rotation(pose[:, 3:PALM]) @ self.palm_mm.to(pose) / half_mm
        return torch.cat([pose[:, :3] + offset, pose[:, 3:]], dim=1)

    def _half_edge(self, cube_mm: Float[Tensor, "batch"] | None) -> Float[Tensor, "#batch 1"]:
        return (self.cube_mm[None] if cube_mm is None else cube_mm)[:, None] / 2

    @property
    def hand(self) -> tuple[HandShape, Keypoints]:
        """Whose hand it is, and which points on it."""
        return _read_hand({name: getattr(self, f"hand_{name}").cpu().numpy() for name in (*SHAPE_FIELDS, *POINTS)})


def keep_digits(values: Tensor) -> torch.autocast:
    """A context in which products keep the precision of what goes in: of a bfloat16 angle a degree is lost."""
    return torch.autocast(values.device.type, enabled=False)


def read_layer(state: Mapping[str, Tensor], prefix: str) -> HandLayer:
    """The layer whose buffers stand in a checkpoint, their names after `prefix`."""
    told = (*SHAPE_FIELDS, *POINTS, "limits_rad", "cube_mm")
    values = {name: state[f"{prefix}hand_{name}"].numpy() for name in told}
    return HandLayer(*_read_hand(values), values["limits_rad"], float(values["cube_mm"]))


def _read_hand(values: Mapping[str, np.ndarray]) -> tuple[HandShape, Keypoints]:
    shape = HandShape(**{name: values[name] for name in SHAPE_FIELDS})
    return shape, Keypoints(**{name: values[name] for name in POINTS})
