"""A watertight skin around the skeleton, grown from a distance field: no licensed asset, any resolution.

Marching cubes meshes the flesh's zero level in the bind pose, vertices slide on to the surface along the gradient, and
skinning weights follow from how far along its finger a vertex lies.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Integer

from handbench.geometry.mesh import Mesh
from handbench.hand.flesh import FINGER_RADII_MM, bind_frames, finger_distance, finger_joints, flesh_distance
from handbench.hand.skeleton import REFERENCE_SHAPE, HandShape

_JOINT_BLEND = 0.55
"""Half-width of the weight transition at a joint, in units of the finger's radius there."""


@dataclass(frozen=True)
class HandTemplate:
    """The reference hand's skin in the bind pose."""

    bind_vertices_mm: Float[np.ndarray, "vertices 3"]
    faces: Integer[np.ndarray, "faces 3"]
    weights: Float[np.ndarray, "vertices 16"]
    """Rows sum to one; a vertex follows the palm and the bones of one finger."""


@lru_cache(maxsize=8)
def hand_template(voxel_mm: float = 4.5) -> HandTemplate:
    """The skin at a resolution: 4.5 mm gives about 7.7 k triangles, 7 mm about 3.1 k."""
    from skimage.measure import marching_cubes

    low, high = np.array([-112.0, -245.0, -100.0]), np.array([165.0, 40.0, 45.0])
    axes = [np.arange(a, b, voxel_mm) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance = flesh_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, faces, _, _ = marching_cubes(distance, 0.0, spacing=(voxel_mm,) * 3)
    vertices = _slide_to_surface(vertices + low)
    # Marching cubes winds the faces of a field that grows outwards clockwise from outside.
    return _freeze(HandTemplate(vertices, _wind_outwards(vertices, faces), _skinning_weights(vertices)))


def shaped_template(template: HandTemplate, shape: HandShape) -> Float[np.ndarray, "vertices 3"]:
    """The bind-pose vertices of another person's hand: each bone's flesh scaled along and across the bone."""
    rotations, origins = bind_frames(REFERENCE_SHAPE)
    shaped_rotations, shaped_origins = bind_frames(shape)
    local = np.einsum("bji,vbj->vbi", rotations, template.bind_vertices_mm[:, None] - origins)
    stretched = local * _bone_stretch(shape)
    placed = np.einsum("bij,vbj->vbi", shaped_rotations, stretched) + shaped_origins
    return np.einsum("vb,vbi->vi", template.weights, placed)


def rest_mesh(shape: HandShape = REFERENCE_SHAPE, voxel_mm: float = 4.5) -> Mesh:
    """The skin in the bind pose, at the origin."""
    template = hand_template(voxel_mm)
    return Mesh(shaped_template(template, shape), template.faces)


def _bone_stretch(shape: HandShape) -> Float[np.ndarray, "16 3"]:
    lengths = (shape.lengths_mm / REFERENCE_SHAPE.lengths_mm).reshape(15)
    girths = np.repeat(shape.girths, 3)
    return np.concatenate([shape.palm_stretch[None], np.stack([girths, lengths, girths], axis=1)])


def _slide_to_surface(vertices: Float[np.ndarray, "vertices 3"], rounds: int = 3) -> Float[np.ndarray, "vertices 3"]:
    """A few Newton steps along the gradient of the field take marching cubes' corners off."""
    step = 0.05
    for _ in range(rounds):
        value = flesh_distance(vertices)
        gradient = np.stack(
            [(flesh_distance(vertices + step * axis) - value) / step for axis in np.eye(3)],
            axis=1,
        )
        vertices = vertices - (value / np.maximum((gradient**2).sum(axis=1), 0.25))[:, None] * gradient
    return vertices


def _wind_outwards(
    vertices: Float[np.ndarray, "vertices 3"], faces: Integer[np.ndarray, "faces 3"]
) -> Integer[np.ndarray, "faces 3"]:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    signed_volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6.0
    return faces.astype(np.int32) if signed_volume > 0 else faces[:, ::-1].astype(np.int32)


def _skinning_weights(vertices: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "vertices 16"]:
    """Each vertex belongs to its nearest finger; along it, weights pass smoothly from palm to tip at the joints."""
    finger_distances = np.stack([finger_distance(vertices, finger) for finger in range(5)], axis=1)
    nearest = finger_distances.argmin(axis=1)
    weights = np.zeros((len(vertices), 16))
    for finger in range(5):
        mine = nearest == finger
        weights[np.ix_(mine, [0, 1 + 3 * finger, 2 + 3 * finger, 3 + 3 * finger])] = _finger_weights(
            vertices[mine], finger
        )
    return weights


def _finger_weights(vertices: Float[np.ndarray, "vertices 3"], finger: int) -> Float[np.ndarray, "vertices 4"]:
    """Shares of palm, proximal, middle and distal bone, telescoping along the finger."""
    joints = finger_joints(finger)
    passed = []
    for joint in range(3):
        direction = joints[joint + 1] - joints[joint]
        direction = direction / np.linalg.norm(direction)
        if joint > 0:
            incoming = joints[joint] - joints[joint - 1]
            direction = direction + incoming / np.linalg.norm(incoming)
            direction = direction / np.linalg.norm(direction)
        half_width = _JOINT_BLEND * FINGER_RADII_MM[finger, joint] * (1.6 if joint == 0 else 1.0)
        t = np.clip(0.5 + (vertices - joints[joint]) @ direction / (2.0 * half_width), 0.0, 1.0)
        passed.append(t * t * (3.0 - 2.0 * t))
    first, second, third = passed
    # Flesh beside the finger's root (web, ball of the thumb) belongs to the palm the farther it is from the finger.
    near = np.clip(1.0 - finger_distance(vertices, finger) / (0.8 * FINGER_RADII_MM[finger, 0]), 0.0, 1.0)
    first = first * near
    second, third = np.minimum(second, first), np.minimum(third, np.minimum(second, first))
    return np.stack([1.0 - first, first - second, second - third, third], axis=1)


def _freeze(template: HandTemplate) -> HandTemplate:
    """The template is shared by everyone who asks for it."""
    for array in (template.bind_vertices_mm, template.faces, template.weights):
        array.setflags(write=False)
    return template
