"""What stands around the hand: its forearm, and for NYU a person and some furniture behind it.

A scene is a handful of numbers drawn once a sequence; its meshes are posed a frame at a time from cached tubes.
Nothing of it comes in front of the hand: the forearm bends away behind the wrist and everything else keeps its
distance. A wall is left out, since beyond two metres NYU's sensor reports none. All sizes are ours, by eye beside
the real NYU frame.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Integer

from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh

SCENES = ("nyu", "creative")

Vector = Float[np.ndarray, "3"]
Radii = tuple[float, float]

_AROUND, _CAP_RINGS = 20, 5
_BENT_BACK = 0.15
"""Least share of depth in the forearm's direction: the elbow is always farther than the wrist."""
_SWAY_MM = (14.0, 5.0)


@dataclass(frozen=True)
class Box:
    """A piece of furniture, upright; depth counts from the hand."""

    centre_mm: tuple[float, float]
    behind_mm: float
    size_mm: tuple[float, float, float]
    turn_rad: float


@dataclass(frozen=True)
class Scene:
    """What a sequence keeps; a body of scale 0 is no body."""

    forearm_length_mm: float
    elbow_growth: float
    body_scale: float
    body_neck_mm: tuple[float, float]
    body_behind_mm: float
    body_turn_rad: float
    furniture: tuple[Box, ...]


def sample_scene(kind: str, rng: np.random.Generator) -> Scene:
    """ "nyu": a person 150 to 330 mm behind the hand and furniture; "creative": near, often nothing but the forearm."""
    if kind not in SCENES:
        raise BadInput("scene", expected=" or ".join(SCENES), found=repr(kind), fix="name one of these")
    with_body = kind == "nyu" or rng.random() < 0.25
    return Scene(
        forearm_length_mm=rng.uniform(210, 270) if kind == "nyu" else rng.uniform(60, 240),
        elbow_growth=rng.uniform(1.25, 1.6),
        body_scale=rng.uniform(0.9, 1.1) if with_body else 0.0,
        body_neck_mm=(rng.normal(80, 50), rng.normal(0, 35)),
        body_behind_mm=rng.uniform(150, 330) if kind == "nyu" else rng.uniform(250, 500),
        body_turn_rad=rng.normal(0, 0.2),
        furniture=tuple(_sample_box(rng) for _ in range(rng.integers(0, 4))) if kind == "nyu" else (),
    )


def scene_meshes(
    scene: Scene,
    wrist_mm: Vector,
    forearm_direction: Vector,
    forearm_radius_mm: Radii,
    hand_depth_mm: float,
    *,
    forearm_wide_axis: Vector | None = None,
    sway_rad: float = 0.0,
) -> list[Mesh]:
    """The forearm first, then what is behind it.

    `forearm_radius_mm` is (half width, half thickness) at the wrist, the width along `forearm_wide_axis`.
    `hand_depth_mm` is the farthest depth the hand reaches: in the frame, or in the sequence for a body that keeps
    its place. `sway_rad` is the phase of the body's slow sway.
    """
    elbow_mm = wrist_mm + scene.forearm_length_mm * bend_forearm(forearm_direction)
    wide, thick = forearm_radius_mm
    elbow_radius_mm = (wide * scene.elbow_growth, thick * scene.elbow_growth * 1.15)
    meshes = [make_tube(wrist_mm, elbow_mm, forearm_radius_mm, elbow_radius_mm, wide_axis=forearm_wide_axis)]
    if scene.body_scale > 0.0:
        body, shoulder_mm = _place_body(scene, hand_depth_mm, sway_rad)
        meshes.append(body)
        if shoulder_mm[2] > elbow_mm[2]:
            meshes.append(make_tube(elbow_mm, shoulder_mm, elbow_radius_mm, (55.0, 60.0)))
    return meshes + [_place_box(box, hand_depth_mm) for box in scene.furniture]


def bend_forearm(direction: Vector) -> Float64[np.ndarray, "3"]:
    """The unit direction from wrist to elbow, turned just enough to lead away from the camera."""
    unit = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    if unit[2] >= _BENT_BACK:
        return unit
    sideways = np.hypot(unit[0], unit[1])
    # Straight at the camera there is no side to turn to: an arm that hangs down is the likeliest.
    side = unit[:2] / sideways if sideways > 1e-6 else np.array([0.0, 1.0])
    return np.array([*(side * np.sqrt(1.0 - _BENT_BACK**2)), _BENT_BACK])


def make_tube(
    start_mm: Vector, end_mm: Vector, start_radius_mm: Radii, end_radius_mm: Radii, *, wide_axis: Vector | None = None
) -> Mesh:
    """A closed tube of elliptic cross-section with rounded ends; radii are (wide, thick) at either end.

    Without `wide_axis` the width lies in the image plane.
    """
    along = np.asarray(end_mm, np.float64) - start_mm
    length_mm = np.linalg.norm(along)
    axis = along / length_mm if length_mm > 1e-9 else np.array([0.0, 1.0, 0.0])
    wide = _make_perpendicular(np.cross(axis, [0.0, 0.0, 1.0]) if wide_axis is None else wide_axis, axis)
    share, overhang, ring, faces = _tube_template()
    radii = (1.0 - share)[:, None] * start_radius_mm + share[:, None] * end_radius_mm
    along_mm = share * length_mm + overhang * radii.min(axis=1)
    vertices = np.asarray(start_mm, np.float64) + along_mm[:, None] * axis
    vertices += (ring[:, 0] * radii[:, 0])[:, None] * wide + (ring[:, 1] * radii[:, 1])[:, None] * np.cross(axis, wide)
    return Mesh(vertices.astype(np.float32), faces)


def _make_perpendicular(vector: Vector, axis: Vector) -> Float64[np.ndarray, "3"]:
    rest = np.asarray(vector, np.float64) - np.dot(vector, axis) * axis
    if np.linalg.norm(rest) < 1e-6:
        other = np.eye(3)[np.argmin(np.abs(axis))]
        rest = other - np.dot(other, axis) * axis
    return rest / np.linalg.norm(rest)


@lru_cache(maxsize=1)
def _tube_template() -> tuple[
    Float64[np.ndarray, "vertices"],
    Float64[np.ndarray, "vertices"],
    Float64[np.ndarray, "vertices 2"],
    Integer[np.ndarray, "faces 3"],
]:
    """Per vertex: how far along (0 or 1), overhang of the cap and place on the ring, in radii; and the faces."""
    rise = np.linspace(0.0, np.pi / 2, _CAP_RINGS + 1)[:-1]
    angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    overhangs = np.concatenate([-np.sin(rise[::-1]), np.sin(rise)])
    widths = np.concatenate([np.cos(rise[::-1]), np.cos(rise)])
    share = np.repeat([0.0, 1.0], _CAP_RINGS)
    poles = 2 * _CAP_RINGS * _AROUND
    ring = np.vstack([(widths[:, None, None] * circle).reshape(-1, 2), np.zeros((2, 2))])
    share = np.concatenate([np.repeat(share, _AROUND), [0.0, 1.0]])
    overhang = np.concatenate([np.repeat(overhangs, _AROUND), [-1.0, 1.0]])
    here, after = np.arange(_AROUND), (np.arange(_AROUND) + 1) % _AROUND
    faces = []
    for row in range(2 * _CAP_RINGS - 1):
        low, high = row * _AROUND, (row + 1) * _AROUND
        faces.append(np.stack([low + here, low + after, high + after], axis=-1))
        faces.append(np.stack([low + here, high + after, high + here], axis=-1))
    last = poles - _AROUND
    faces.append(np.stack([after, here, np.full(_AROUND, poles)], axis=-1))
    faces.append(np.stack([last + here, last + after, np.full(_AROUND, poles + 1)], axis=-1))
    return share, overhang, ring, np.concatenate(faces)


@lru_cache(maxsize=1)
def _body_template() -> Mesh:
    """A head, a trunk and the other arm; origin at the base of the neck, the foremost point at z = 0."""
    # Where a part starts and ends, then its radii (wide, thick) there.
    parts = np.array(
        [
            [[0, -185, 70], [0, -105, 62], [76, 88, 0], [60, 70, 0]],  # head
            [[0, -80, 90], [0, 20, 110], [52, 52, 0], [95, 62, 0]],  # neck
            [[-165, 72, 120], [-30, 22, 112], [56, 62, 0], [52, 58, 0]],  # shoulders
            [[30, 22, 112], [165, 72, 120], [52, 58, 0], [56, 62, 0]],
            [[0, 90, 112], [0, 330, 118], [172, 92, 0], [158, 100, 0]],  # chest
            [[0, 330, 118], [0, 620, 130], [158, 100, 0], [170, 110, 0]],  # belly
            [[182, 80, 120], [222, 320, 110], [52, 56, 0], [42, 44, 0]],  # the other arm
            [[222, 320, 110], [170, 560, 80], [42, 44, 0], [30, 32, 0]],
        ],
        np.float64,
    )
    tubes = [
        make_tube(start, end, (first[0], first[1]), (last[0], last[1]), wide_axis=_find_width(start, end))
        for start, end, first, last in parts
    ]
    starts = np.cumsum([0] + [len(tube.vertices_mm) for tube in tubes])
    faces = np.concatenate([tube.faces + start for tube, start in zip(tubes, starts, strict=False)])
    vertices = np.concatenate([tube.vertices_mm for tube in tubes])
    return Mesh(vertices - [0, 0, vertices[:, 2].min()], faces)


def _find_width(start: Vector, end: Vector) -> Vector:
    """Across the body, but up for the shoulders, which themselves run across."""
    runs_across = abs(end[0] - start[0]) > abs(end[1] - start[1])
    return np.array([0.0, 1.0, 0.0] if runs_across else [1.0, 0.0, 0.0])


def _place_body(scene: Scene, hand_depth_mm: float, sway_rad: float) -> tuple[Mesh, Float64[np.ndarray, "3"]]:
    """The body wholly behind the hand, and the shoulder its arm hangs from."""
    body = _body_template()
    turned = scene.body_scale * (body.vertices_mm @ _turn(scene.body_turn_rad).T)
    sway_mm = np.array([np.sin(sway_rad), np.sin(0.63 * sway_rad)]) * _SWAY_MM
    foremost_mm = hand_depth_mm + scene.body_behind_mm + _SWAY_MM[1] + sway_mm[1]
    origin_mm = np.array([scene.body_neck_mm[0] + sway_mm[0], scene.body_neck_mm[1], foremost_mm - turned[:, 2].min()])
    shoulder_mm = scene.body_scale * (_turn(scene.body_turn_rad) @ [-182.0, 80.0, 120.0]) + origin_mm
    return Mesh((turned + origin_mm).astype(np.float32), body.faces), shoulder_mm


def _sample_box(rng: np.random.Generator) -> Box:
    """A pole or a piece of furniture at either side, half of them narrow."""
    side = rng.choice([-1.0, 1.0])
    narrow = rng.random() < 0.5
    return Box(
        centre_mm=(side * rng.uniform(400, 900), rng.uniform(-300, 500)),
        behind_mm=rng.uniform(500, 1100),
        size_mm=(rng.uniform(15, 40), 2000.0, 30.0) if narrow else tuple(rng.uniform(150, 450, 3).tolist()),
        turn_rad=rng.uniform(-0.8, 0.8),
    )


def _place_box(box: Box, hand_depth_mm: float) -> Mesh:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    turned = (corners * box.size_mm) @ _turn(box.turn_rad).T
    centre_mm = [*box.centre_mm, hand_depth_mm + box.behind_mm - turned[:, 2].min()]
    return Mesh((turned + centre_mm).astype(np.float32), _BOX_FACES)


def _turn(angle_rad: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation about the vertical axis."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


# Corner 4 x + 2 y + z of a cube; two faces a side: left, right, top, bottom, front, back.
_BOX_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_BOX_FACES = np.array([face for a, b, c, d in _BOX_SIDES for face in ((a, b, c), (a, c, d))])
