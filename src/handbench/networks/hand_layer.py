"""The hand model layer of deepmodel (Sec. 3.1, Eq. 4 and the appendix): pose parameters to joints, without weights.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016.

    Theta    pose       (batch, 26)    palm's centre in half cube edges around the crop's, then radians as in DOFS,
                                       both in axes of the layer's own
    F(Theta)            (batch, J, 3)  joints in half cube edges around the crop's centre
    bounds   limits_rad (20, 2)        of the finger angles; wrist and palm rotation have none

Theta places the centre of the palm, at which the paper's tree is rooted, and the palm turns about it. Everywhere else
here a pose has the wrist's place (skeleton.DOFS): `to_wrist` and `from_wrist` go between the two. It matters: a turn
about the wrist moves all joints the same way, much as a shift of the wrist does, and descent then has to pay one off
against the other. Crops are centred on the palm, so that its place says little and the turn is learned by itself.

Yaw, pitch and roll have a singularity, as any three angles of a rotation have: where the hand's long axis points along
the third axis, a small turn of the hand is a large one of two angles that cancel. NYU has frames 1 degree from there in
the camera's axes. The layer's axes are turned so that the third of them is where training hands point least
(`turn_axes`): what was 90 degrees of pitch is 73, and 38 in 95 of 100 frames where it was 53.

Bones are millimetres and a crop is measured in half edges of its cube, so the edge enters: the same hand is larger in a
smaller cube. Whoever trains gives the edge of every crop. Without it the edge is `cube_mm`, that of the training crops,
and the layer's hand keeps its size within the patch: crops of a smaller person are cut with a smaller cube, for the
very purpose that all hands look alike in it, and the joints that come out are of a hand as much smaller.

What the layer is made of lies in its buffers in float64, so that a checkpoint is all that prediction needs.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from handbench.hand.keypoints import Keypoints
from handbench.hand.kinematics import fix_bones, hand_rotation, place_bones, read_turn
from handbench.hand.kinematics_gradient import PlaceBones
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape

POINTS = ("bones", "fractions", "offsets_mm")
PALM = 6
"""Parameters before the first finger angle: three of the wrist, three of the palm's rotation."""


class HandLayer(nn.Module):
    """F of Eq. 1."""

    limits_rad: Float[Tensor, "20 2"]
    cube_mm: Float[Tensor, ""]
    axes: Float[Tensor, "3 3"]
    fixed: Float[Tensor, "20 3"]
    steps_mm: Float[Tensor, "5 2 1 1"]
    local_mm: Float[Tensor, "joints 3"]
    palm_mm: Float[Tensor, "3"]

    def __init__(
        self,
        shape: HandShape,
        keypoints: Keypoints,
        limits_rad: Float[np.ndarray, "20 2"],
        cube_mm: float,
        axes: Float[np.ndarray, "3 3"] | None = None,
    ) -> None:
        """`axes`: those of the layer, as columns in camera axes; the camera's own by default."""
        super().__init__()
        axes = np.eye(3) if axes is None else axes
        self.bones = [int(bone) for bone in keypoints.bones]
        described = {name: getattr(shape, name) for name in SHAPE_FIELDS}
        described |= {name: getattr(keypoints, name) for name in POINTS}
        for name, values in (described | {"limits_rad": limits_rad, "cube_mm": cube_mm, "axes": axes}).items():
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
            "axes": axes,
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
            return (origins[:, self.bones] + moved - wrist_mm) @ self.axes.mT / half_mm[..., None]

    def from_wrist(
        self, pose: Float[Tensor, "batch 26"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch 26"]:
        """Theta from the same with the wrist's place in half cube edges and the palm's turn, in camera axes."""
        rotation = hand_rotation(pose[:, 3:PALM])
        centre = pose[:, :3] + self._reach(rotation, cube_mm)
        axes = self.axes.to(pose)
        return torch.cat([centre @ axes, read_turn(axes.mT @ rotation), pose[:, PALM:]], dim=1)

    def to_wrist(
        self, pose: Float[Tensor, "batch 26"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch 26"]:
        """The inverse, the pitch within a quarter turn."""
        axes = self.axes.to(pose)
        rotation = axes @ hand_rotation(pose[:, 3:PALM])
        wrist = pose[:, :3] @ axes.mT - self._reach(rotation, cube_mm)
        return torch.cat([wrist, read_turn(rotation), pose[:, PALM:]], dim=1)

    def _reach(
        self, rotation: Float[Tensor, "batch 3 3"], cube_mm: Float[Tensor, "batch"] | None
    ) -> Float[Tensor, "batch 3"]:
        """From the wrist to the palm's centre, in half cube edges."""
        return rotation @ self.palm_mm.to(rotation) / self._half_edge(cube_mm)

    def _half_edge(self, cube_mm: Float[Tensor, "batch"] | None) -> Float[Tensor, "#batch 1"]:
        return (self.cube_mm[None] if cube_mm is None else cube_mm)[:, None] / 2

    @property
    def hand(self) -> tuple[HandShape, Keypoints]:
        """Whose hand it is, and which points on it."""
        return _read_hand({name: getattr(self, f"hand_{name}").cpu().numpy() for name in (*SHAPE_FIELDS, *POINTS)})


def turn_axes(turns: Float[Tensor, "poses 3"]) -> Float64[np.ndarray, "3 3"]:
    """Axes of which the third is where hands of these yaws, pitches and rolls point least; no more is turned."""
    along = hand_rotation(turns.double())[:, :, 1]
    _, directions = torch.linalg.eigh(along.mT @ along)
    third = directions[:, 0] * torch.where(directions[2, 0] < 0, -1.0, 1.0)
    x, y, z = third.tolist()
    # The smallest rotation that takes (0, 0, 1) there.
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + z)


def keep_digits(values: Tensor) -> torch.autocast:
    """A context in which products keep the precision of what goes in: of a bfloat16 angle a degree is lost."""
    return torch.autocast(values.device.type, enabled=False)


def read_layer(state: Mapping[str, Tensor], prefix: str) -> HandLayer:
    """The layer whose buffers stand in a checkpoint, their names after `prefix`."""
    told = (*SHAPE_FIELDS, *POINTS, "limits_rad", "cube_mm", "axes")
    values = {name: state[f"{prefix}hand_{name}"].numpy() for name in told}
    return HandLayer(*_read_hand(values), values["limits_rad"], float(values["cube_mm"]), values["axes"])


def _read_hand(values: Mapping[str, np.ndarray]) -> tuple[HandShape, Keypoints]:
    shape = HandShape(**{name: values[name] for name in SHAPE_FIELDS})
    return shape, Keypoints(**{name: values[name] for name in POINTS})
