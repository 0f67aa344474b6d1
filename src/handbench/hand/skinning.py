"""Linear blend skinning, written once for numpy and torch: bone frames to posed vertices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from handbench.geometry.mesh import Mesh
from handbench.hand.flesh import bind_frames
from handbench.hand.kinematics import _like, _namespace, forward_kinematics
from handbench.hand.mesh import hand_template, shaped_template
from handbench.hand.skeleton import HandShape

Array = Any


@dataclass(frozen=True)
class Skin:
    """A person's skin in the bind pose, ready to be posed."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    faces: Integer[np.ndarray, "faces 3"]
    weights: Float[np.ndarray, "vertices 16"]
    bind_rotations: Float[np.ndarray, "16 3 3"]
    bind_origins_mm: Float[np.ndarray, "16 3"]


def make_skin(shape: HandShape, voxel_mm: float = 4.5) -> Skin:
    """The skin of a person at a resolution."""
    template = hand_template(voxel_mm)
    rotations, origins = bind_frames(shape)
    return Skin(shaped_template(template, shape), template.faces, template.weights, rotations, origins)


def skin_vertices(
    skin: Skin, rotations: Float[Array, "*batch 16 3 3"], origins: Float[Array, "*batch 16 3"]
) -> Float[Array, "*batch vertices 3"]:
    """v' = sum over bones of w_b (R_b R_b0^T (v - t_b0) + t_b), in camera axes."""
    xp = _namespace(origins)
    bind_inverse = _like(np.swapaxes(skin.bind_rotations, 1, 2), origins)
    turns = rotations @ bind_inverse
    shifts = origins - xp.einsum("...bij,bj->...bi", turns, _like(skin.bind_origins_mm, origins))
    blended = xp.einsum(
        "vb,...bk->...vk",
        _like(skin.weights, origins),
        xp.concatenate([turns.reshape(*turns.shape[:-2], 9), shifts], -1),
    )
    vertices = _like(skin.vertices_mm, origins)
    moved = (blended[..., :9].reshape(*blended.shape[:-1], 3, 3) * vertices[:, None, :]).sum(-1)
    return moved + blended[..., 9:]


def pose_mesh(skin: Skin, shape: HandShape, pose: Float[np.ndarray, "26"]) -> Mesh:
    """The skin of one posed hand in camera axes."""
    rotations, origins = forward_kinematics(pose, shape)
    return Mesh(skin_vertices(skin, rotations, origins), skin.faces)
