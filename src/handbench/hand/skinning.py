"""Linear blend skinning, written once for numpy and torch: bone frames to posed vertices."""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from handbench.geometry.mesh import Mesh
from handbench.hand.flesh import bind_frames
from handbench.hand.kinematics import _namespace, forward_kinematics
from handbench.hand.mesh import hand_template, shaped_template
from handbench.hand.skeleton import HandShape

Array = Any


@dataclass(frozen=True, eq=False)
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
    """v' = sum over bones of w_b (R_b R_b0^T (v - t_b0) + t_b), in camera axes.

    All that depends on the person is put into one matrix beforehand; what is left is one product of matrices.
    """
    xp = _namespace(origins)
    join = np.concatenate if xp is np else xp.cat
    frames = xp.swapaxes(join([rotations, origins[..., None]], -1), -3, -2)
    spread = _spread_like(skin, origins)
    return xp.swapaxes(frames.reshape(*origins.shape[:-2], 3, 64) @ spread, -1, -2)


def _spread_like(skin: Skin, array: Array) -> Float[Array, "64 vertices"]:
    device = "cpu" if isinstance(array, np.ndarray) else array.device
    return _spread_cached(skin, _namespace(array), array.dtype, device)


@lru_cache(maxsize=16)
def _spread_cached(skin: Skin, xp: ModuleType, dtype: Any, device: Any) -> Float[Array, "64 vertices"]:
    """How far each number of each bone's frame moves each vertex: w_b (x, y, z, 1), in the bone's own axes."""
    local = np.einsum("bji,vbj->biv", skin.bind_rotations, skin.vertices_mm[:, None] - skin.bind_origins_mm)
    spread = np.concatenate([local, np.ones_like(local[:, :1])], axis=1) * skin.weights.T[:, None]
    flat = spread.reshape(64, -1)
    return flat.astype(dtype) if xp is np else xp.tensor(flat, dtype=dtype, device=device)


def pose_mesh(skin: Skin, shape: HandShape, pose: Float[np.ndarray, "26"]) -> Mesh:
    """The skin of one posed hand in camera axes."""
    rotations, origins = forward_kinematics(pose, shape)
    return Mesh(skin_vertices(skin, rotations, origins), skin.faces)
