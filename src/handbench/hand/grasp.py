"""Close a hand around what it holds until each finger touches it.

What is held is known by its signed distance in palm axes alone, negative inside: a box, or any solid.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from handbench.geometry.mesh import Mesh
from handbench.hand.flesh import FINGER_RADII_MM
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import HandShape

Distance = Callable[[Float[np.ndarray, "*batch 3"]], Float[np.ndarray, "*batch"]]

CLOSING_STEPS = 40
CONTACT_MM = 1.0
"""How far a finger may press into what is held: the flesh that gives way."""

_POINTS_PER_BONE = 5
_ON_FACE = np.array([(i, j, 8 - i - j) for i in range(9) for j in range(9 - i)]) / 8
"""Shares of the three corners at 45 points of a face."""


def close_fingers(
    open_angles: Float[np.ndarray, "20"], closed_angles: Float[np.ndarray, "20"], held: Distance, shape: HandShape
) -> Float[np.ndarray, "20"]:
    """Move every finger from open towards closed and stop it where it touches what is held."""
    share = np.repeat(find_closing(open_angles, closed_angles, held, shape), 4)
    return open_angles + share * (closed_angles - open_angles)


def find_closing(
    open_angles: Float[np.ndarray, "20"], closed_angles: Float[np.ndarray, "20"], held: Distance, shape: HandShape
) -> Float[np.ndarray, "5"]:
    """How far each finger closes, 0 (open) to 1, before it first touches: any less is free as well."""
    shares = np.linspace(0.0, 1.0, CLOSING_STEPS)
    poses = np.zeros((CLOSING_STEPS, 26))
    poses[:, 6:] = open_angles + shares[:, None] * (closed_angles - open_angles)
    free = finger_clearance(poses, held, shape) > -CONTACT_MM
    # The last step before the first touch; a finger that touches while open stays open.
    steps = np.where(free.all(axis=0), CLOSING_STEPS - 1, np.maximum((~free).argmax(axis=0) - 1, 0))
    return shares[steps]


def grasp_penetration(angles: Float[np.ndarray, "20"], held: Distance, shape: HandShape) -> float:
    """How deep (mm) the deepest finger reaches into what is held; 0 when none does."""
    pose = np.concatenate([np.zeros(6), angles])[None]
    return float(max(-finger_clearance(pose, held, shape).min(), 0.0))


def surface_clearance(mesh: Mesh, held: Distance) -> float:
    """Least distance between what is held and a surface, negative when they overlap: on the faces, not at their
    corners alone, between which a thin edge or a ball reaches further in.

    Distances change by no more than the way between two points, which tells the faces that can hold the least one.
    """
    at_vertices_mm = held(mesh.vertices_mm)
    corners_mm = mesh.vertices_mm[mesh.faces]
    middles_mm = corners_mm.mean(axis=1)
    reach_mm = np.linalg.norm(corners_mm - middles_mm[:, None], axis=2).max(axis=1)
    near = held(middles_mm) - reach_mm < at_vertices_mm.min()
    on_faces_mm = held(np.einsum("sk,fkd->fsd", _ON_FACE, corners_mm[near]))
    return float(np.concatenate([at_vertices_mm, on_faces_mm.ravel()]).min())


def finger_clearance(
    poses: Float[np.ndarray, "poses 26"], held: Distance, shape: HandShape
) -> Float[np.ndarray, "poses 5"]:
    """Least distance between what is held and the skin of each finger, negative when they overlap."""
    rotations, origins = forward_kinematics(poses, shape)
    along = np.linspace(0.0, 1.0, _POINTS_PER_BONE)
    down = rotations[:, 1:, :, 1].reshape(-1, 5, 3, 1, 3)
    steps = along[:, None] * shape.lengths_mm[:, :, None, None] * np.array([1.0, 1.0, 0.85])[:, None, None]
    points = origins[:, 1:].reshape(-1, 5, 3, 1, 3) - steps * down
    radii = FINGER_RADII_MM * shape.girths[:, None]
    radius = radii[:, :3, None] + along * (radii[:, 1:] - radii[:, :3])[:, :, None]
    distance = held(points) - radius
    # The metacarpal of the thumb is part of the palm's flesh: it does not close.
    distance[:, 0, 0] = np.inf
    return distance.min(axis=(2, 3))
