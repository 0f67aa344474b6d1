"""Kinematics and skinning in torch, against pytorch_kinematics and smplx."""

from functools import partial

import numpy as np
import torch

from benchmarks.harness import DisagreementError, Race, make_race
from benchmarks.rows import Row
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, BONES, DOFS, FINGER_DOFS, FINGERS, PARENTS, REFERENCE_SHAPE
from handbench.hand.skinning import Skin, make_skin, skin_vertices

KINEMATICS_BATCH = 512
SKIN_VOXEL_MM = 9.9
"""772 vertices; MANO has 778."""


def race_kinematics() -> Race:
    """Bone frames of a batch and the gradient of a sum over them."""
    import pytorch_kinematics

    chain = pytorch_kinematics.build_chain_from_urdf(describe_hand()).to(dtype=torch.float32)
    # The chain counts a joint's angles in its own order.
    order = [DOFS.index(name) for name in chain.get_joint_parameter_names()]
    bones = chain.get_frame_indices(*BONES)
    pose = sample_poses(KINEMATICS_BATCH).requires_grad_()
    turns, pulls = torch.randn(KINEMATICS_BATCH, 16, 3, 3), torch.randn(KINEMATICS_BATCH, 16, 3)

    def differentiate(rotations: torch.Tensor, origins: torch.Tensor) -> torch.Tensor:
        loss = (rotations * turns).sum() + (origins * pulls).sum()
        return torch.autograd.grad(loss, pose)[0]

    def run_ours() -> torch.Tensor:
        return differentiate(*forward_kinematics(pose, REFERENCE_SHAPE))

    def run_theirs() -> torch.Tensor:
        frames = chain.forward_kinematics(pose[:, order], bones)
        matrices = torch.stack([frames[bone].get_matrix() for bone in BONES], 1)
        return differentiate(matrices[:, :, :3, :3], matrices[:, :, :3, 3])

    def check() -> None:
        # A gradient sums hundreds of terms of millimetres times a normal number.
        require_close(run_ours(), run_theirs(), 0.01, "gradients")

    return make_race(run_ours, run_theirs, 1, check)


def race_skinning(batch: int) -> Race:
    """Pose parameters to vertices, the parts of `lbs` that a hand without blend shapes needs.

    smplx's `lbs` adds shape and pose blend shapes and regresses joints from vertices; ours has none of these, so they
    are left out. What is left is its own batch_rodrigues and batch_rigid_transform and its last step, restated.
    """
    from smplx.lbs import batch_rigid_transform, batch_rodrigues

    skin, pose = make_skin(REFERENCE_SHAPE, SKIN_VOXEL_MM), sample_poses(batch)
    angles, shift_mm = find_axis_angles(skin, pose)
    parents = torch.tensor(PARENTS)
    joints_mm = torch.tensor(skin.bind_origins_mm, dtype=torch.float32).expand(batch, -1, -1)
    weights = torch.tensor(skin.weights, dtype=torch.float32)
    template_mm = torch.tensor(skin.vertices_mm, dtype=torch.float32).expand(batch, -1, -1)

    def run_ours() -> torch.Tensor:
        return skin_vertices(skin, *forward_kinematics(pose, REFERENCE_SHAPE))

    def run_theirs() -> torch.Tensor:
        rotations = batch_rodrigues(angles.view(-1, 3)).view(batch, 16, 3, 3)
        _, transforms = batch_rigid_transform(rotations, joints_mm, parents)
        blended = torch.matmul(weights.expand(batch, -1, -1), transforms.view(batch, 16, 16)).view(batch, -1, 4, 4)
        ones = torch.ones(batch, template_mm.shape[1], 1)
        return torch.matmul(blended, torch.cat([template_mm, ones], 2)[..., None])[:, :, :3, 0]

    def check() -> None:
        # smplx leaves the wrist where it was bound; a user adds the shift afterwards.
        require_close(run_ours(), run_theirs() + shift_mm, 0.01, "vertices (mm)")

    return make_race(run_ours, run_theirs, batch, check)


def find_axis_angles(skin: Skin, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A pose as smplx has it: each bone's turn against its parent since the bind pose, and the wrist's shift."""
    from scipy.spatial.transform import Rotation

    rotations, origins = forward_kinematics(pose.double().numpy(), REFERENCE_SHAPE)
    turns = rotations @ np.swapaxes(skin.bind_rotations, 1, 2)
    local = np.concatenate([turns[:, :1], np.swapaxes(turns[:, PARENTS[1:]], -1, -2) @ turns[:, 1:]], axis=1)
    angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(pose), 48)
    shift_mm = origins[:, :1] - skin.bind_origins_mm[0]
    return torch.tensor(angles, dtype=torch.float32), torch.tensor(shift_mm, dtype=torch.float32)


def sample_poses(batch: int) -> torch.Tensor:
    """Angles anywhere within the limits, hands anywhere in front of the camera."""
    rng = np.random.default_rng(0)
    places = rng.uniform([-100, -100, 500], [100, 100, 900], (batch, 3))
    turns = rng.uniform(-1, 1, (batch, 3))
    fingers = rng.uniform(ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1], (batch, 20))
    return torch.tensor(np.concatenate([places, turns, fingers], axis=1), dtype=torch.float32)


def require_close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float, what: str) -> None:
    apart = float((ours - theirs).abs().max())
    if not apart <= tolerance:
        raise DisagreementError(f"{what}: expected at most {tolerance} between them, found {apart:.4f}")


def describe_hand() -> str:
    """The same tree as a URDF: six joints that move the palm, four a finger."""
    from scipy.spatial.transform import Rotation

    parts = ["<robot name='hand'><link name='world'/>"]

    def add(name: str, parent: str, child: str, axis: str, at=(0.0, 0.0, 0.0), turned=None, kind="revolute") -> None:
        rpy = (0.0, 0.0, 0.0) if turned is None else Rotation.from_matrix(turned).as_euler("xyz")
        xyz, rpy = (" ".join(f"{float(value):.12g}" for value in values) for values in (at, rpy))
        direction = " ".join("1" if letter == axis else "0" for letter in "xyz")
        parts.append(
            f"<link name='{child}'/><joint name='{name}' type='{kind}'><parent link='{parent}'/><child link='{child}'/>"
            f"<origin xyz='{xyz}' rpy='{rpy}'/><axis xyz='{direction}'/>"
            "<limit lower='-2000' upper='2000' effort='1' velocity='1'/></joint>"
        )

    places = [(f"{axis}_mm", axis, "prismatic") for axis in "xyz"]
    turns = [("roll", "z", "revolute"), ("pitch", "x", "revolute"), ("yaw", "y", "revolute")]
    links = ["world", "x", "y", "z", "rolled", "pitched", BONES[0]]
    for (name, axis, kind), parent, child in zip(places + turns, links, links[1:], strict=False):
        add(name, parent, child, axis, kind=kind)
    for index, finger in enumerate(FINGERS):
        base, rest = REFERENCE_SHAPE.bases_mm[index], REFERENCE_SHAPE.rest_rotations[index]
        flexion_1, abduction, flexion_2, flexion_3 = (f"{finger}_{dof}" for dof in FINGER_DOFS)
        first, second, third = BONES[1 + 3 * index : 4 + 3 * index]
        ends = [(0.0, -float(length), 0.0) for length in REFERENCE_SHAPE.lengths_mm[index]]
        add(abduction, BONES[0], f"{finger}_root", "z", base, rest)
        add(flexion_1, f"{finger}_root", first, "x")
        add(flexion_2, first, second, "x", ends[0])
        add(flexion_3, second, third, "x", ends[1])
    return "".join(parts) + "</robot>"


ROWS = (
    Row(
        "kinematics",
        "forward kinematics, forward and backward",
        "pytorch_kinematics",
        race_kinematics,
        3.5,
        5.0,
        batch=KINEMATICS_BATCH,
        needs=("pytorch_kinematics",),
    ),
    *(
        Row(
            f"skinning-{batch}",
            "pose to skin, 772 vertices",
            "smplx lbs without blend shapes",
            partial(race_skinning, batch),
            1.0,
            1.25,
            batch=batch,
            needs=("smplx",),
        )
        for batch in (1, 32)
    ),
)
