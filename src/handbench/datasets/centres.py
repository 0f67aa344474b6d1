"""Where the cube goes: one strategy a word, and a fallback for every frame in which the word has no answer.

A strategy that looks at labels says so, and the store, and with it every table, repeats it. A learned localizer is
one more `CentreStrategy`: `build_crops` takes the object as readily as the word.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from handbench.conventions import BLOCK, SEEN, Camera, Convention
from handbench.datasets.hand_region import Pieces, find_nearest_region, find_pieces, mean_inside_cube
from handbench.datasets.listing import Frame
from handbench.errors import BadInput
from handbench.geometry.camera import project_points

Point = Float32[np.ndarray, "3"]
Points = Float32[np.ndarray, "_ 3"]

BLOCK_PADDING_MM = 30.0
"""Around the box of the labels: they lie inside the flesh, up to 33 mm behind the surface on NYU's first frame."""
FLESH_MM = 10.0
"""A labelled joint lies about so deep under the skin that is seen, in front and at the sides."""
SHARE_OUTSIDE = 0.5
"""Per cent of a hand's points at each end that its seen box leaves out: flying pixels."""
SHARE_AT_EDGE, SHARE_BEYOND = 1.0, 2.0
"""Per cent of them that lie at the image's edge, or beyond the cube, before a seen box is doubted."""
LEAST_WHOLE = 75.0
"""Per cent of a hand in the piece of it that was found first; one frame in twenty of coded light has less."""
GATHERINGS = 2
"""From a first centre on a finger the second cube reaches what the first did not."""
END_MM = 120.0
"""The centre of mass starts from this much of the limb, at the end that is farthest from where it leads away."""
REACH = 0.5
"""Share of the cube's edge behind that point where the region may still be hand: an arm leads on to a body."""
EDGE_PX = 4
"""A limb this close to the image's edge leaves it."""
GATHER = 0.8
"""Share of the cube whose points are averaged: narrower than the cube, so that a forearm pulls less."""
BESIDE_MM = 100.0
"""Of a set with objects, what begins at most this much behind the nearest region belongs to it: hand and object may
lie side by side with background between them."""
NOWHERE_MM = 500.0
"""Depth on the optical axis where the cube goes when a frame holds nothing at all."""


@dataclass(frozen=True)
class Centre:
    """The cube of one frame; `fallback` says why the strategy's own rule did not apply, and is empty where it did."""

    centre_mm: Point
    cube_mm: float
    fallback: str = ""
    doubt: str = ""
    """Why the cube may not hold the whole hand, where what is seen says so."""


@dataclass(frozen=True)
class CentreStrategy:
    """How a frame's cube is found, under the word that names it on the command line and in folder names."""

    word: str
    uses_ground_truth: bool
    find: Callable[[Frame, Convention], Centre]


def choose_strategy(word: str, convention: Convention) -> CentreStrategy:
    """The strategy of a word: joint, joint-NAME, com, com-MM, block or seen."""
    if edge := re.fullmatch(r"com-(\d{2,4})", word):
        return CentreStrategy(word, uses_ground_truth=False, find=_in_a_cube_of(float(edge[1])))
    if word == "com":
        return CentreStrategy(word, uses_ground_truth=False, find=centre_on_mass)
    if word == BLOCK:
        return CentreStrategy(word, uses_ground_truth=True, find=centre_on_block)
    if word == SEEN:
        return CentreStrategy(word, uses_ground_truth=False, find=centre_on_seen)
    name = convention.centre_joint if word == "joint" else word.removeprefix("joint-")
    if word == "joint" and name == "tips":
        return CentreStrategy(word, uses_ground_truth=True, find=centre_on_scored)
    if (word == "joint" or word.startswith("joint-")) and name in convention.joints.names:
        index = convention.joints.index(name)
        return CentreStrategy(
            word, uses_ground_truth=True, find=lambda frame, convention: centre_on_joint(frame, convention, index)
        )
    raise BadInput(
        "centre",
        expected=f"joint, com, com-MM, block, seen or joint-NAME with a joint of {convention.name}",
        found=repr(word),
        fix=f"the joints are {', '.join(convention.joints.names)}",
    )


def find_centre(frame: Frame, convention: Convention, centre: str | CentreStrategy) -> Centre:
    """The cube of one frame."""
    strategy = choose_strategy(centre, convention) if isinstance(centre, str) else centre
    return strategy.find(frame, convention)


def centre_on_joint(frame: Frame, convention: Convention, joint: int) -> Centre:
    """A labelled joint; without it the mean of the annotated ones, without any the centre of mass (trap 46)."""
    if _are_usable(frame.joints_mm)[joint]:
        return Centre(frame.joints_mm[joint], convention.cube_of(frame.subject))
    return _fall_back_to_scored(frame, convention, f"{convention.joints.names[joint]} is not annotated")


def centre_on_scored(frame: Frame, convention: Convention) -> Centre:
    """The mean of the scored joints that are annotated: Dexter+Object labels nothing but fingertips."""
    scored_mm = frame.joints_mm[list(convention.scored)]
    usable = _are_usable(scored_mm)
    if usable.any():
        return Centre(scored_mm[usable].mean(axis=0), convention.cube_of(frame.subject))
    return _fall_back_to_mass(frame, convention, "no scored joint is annotated")


def centre_on_mass(frame: Frame, convention: Convention) -> Centre:
    """The mean of the nearest sizeable region inside the cube, from depth alone; of hand and object together."""
    cube_mm = convention.cube_of(frame.subject)
    beside_mm = BESIDE_MM if "object" in convention.joints.parts else 0.0
    region_mm = find_nearest_region(frame.depth_mm, frame.camera, beside_mm)
    if region_mm is not None:
        limb_mm = region_mm[region_mm[:, 2] <= region_mm[:, 2].min() + REACH * cube_mm]
        start_mm = _find_end(limb_mm, _find_roots(region_mm, limb_mm, frame))
        return Centre(mean_inside_cube(limb_mm, start_mm, GATHER * cube_mm), cube_mm)
    nowhere_mm = np.array([0.0, 0.0, NOWHERE_MM], np.float32)
    return Centre(nowhere_mm, cube_mm, f"no region of a hand's size: {NOWHERE_MM:g} mm on the optical axis")


def _in_a_cube_of(edge_mm: float) -> Callable[[Frame, Convention], Centre]:
    """The centre of mass in a cube of one edge for all, as two datasets need it that one network sees."""
    return lambda frame, convention: centre_on_mass(frame, replace(convention, cube_mm={"": edge_mm}))


def _find_roots(region_mm: Points, limb_mm: Points, frame: Frame) -> Points:
    """Where the limb leads away from the hand: to parts of the region beyond reach, or out of the image."""
    leaves = _lie_at_edge(limb_mm, frame.camera)
    beyond_mm = region_mm[region_mm[:, 2] > limb_mm[:, 2].max()]
    near_beyond_mm = beyond_mm[beyond_mm[:, 2] <= limb_mm[:, 2].max() + END_MM]
    return np.concatenate([limb_mm[leaves], near_beyond_mm])


def _lie_at_edge(points_mm: Points, camera: Camera) -> Bool[np.ndarray, "_"]:
    u, v, _ = project_points(points_mm, camera).T
    right, bottom = camera.width - 1 - EDGE_PX, camera.height - 1 - EDGE_PX
    at_edge: np.ndarray = (u < EDGE_PX) | (v < EDGE_PX) | (u > right) | (v > bottom)
    return at_edge


def _find_end(limb_mm: Points, roots_mm: Points) -> Point:
    """The mean of the part farthest from the roots: a hand is at the end of an arm, which may be as near."""
    if len(roots_mm) == 0:
        return limb_mm.mean(axis=0)
    away_mm = np.linalg.norm(limb_mm - roots_mm.mean(axis=0), axis=1)
    return limb_mm[away_mm >= away_mm.max() - END_MM].mean(axis=0)


def centre_on_block(frame: Frame, convention: Convention) -> Centre:
    """The padded box of the hand's labels, as refine cuts it: the box decides the cube as well as the centre."""
    on_hand = np.array([part != "object" for part in convention.joints.parts])
    hand_mm = frame.joints_mm[on_hand & _are_usable(frame.joints_mm)]
    if len(hand_mm) == 0:
        return _fall_back_to_mass(frame, convention, "no joint is annotated")
    low_mm, high_mm = hand_mm.min(axis=0), hand_mm.max(axis=0)
    return Centre((low_mm + high_mm) / 2, float((high_mm - low_mm).max()) + 2 * BLOCK_PADDING_MM)


def centre_on_seen(frame: Frame, convention: Convention) -> Centre:
    """The same box around what the camera sees of the hand, from depth alone.

    Of a hand whose arm is cut off by a wristband or a sleeve it is nearly that one; a bare arm counts as hand as far as
    the cube of the centre of mass reaches.
    """
    first, pieces = centre_on_mass(frame, convention), find_pieces(frame.depth_mm, frame.camera)
    return first if pieces is None else box_seen(pieces, first, frame.camera)


def box_seen(pieces: Pieces, first: Centre, camera: Camera) -> Centre:
    """The padded box of what is seen of a hand about a first centre, in one piece or in several."""
    centre_mm = first.centre_mm
    for _ in range(GATHERINGS):
        hand_mm = pieces.gather(centre_mm, first.cube_mm)
        centre_mm = mean_inside_cube(hand_mm, centre_mm, GATHER * first.cube_mm)
    inside_mm = hand_mm[(np.abs(hand_mm - centre_mm) <= first.cube_mm / 2).all(axis=1)]
    low_mm, high_mm = np.percentile(inside_mm, [SHARE_OUTSIDE, 100 - SHARE_OUTSIDE], axis=0)
    box_mm = ((low_mm + high_mm) / 2 + [0.0, 0.0, FLESH_MM]).astype(np.float32)
    edge_mm = float((high_mm - low_mm).max()) + 2 * (BLOCK_PADDING_MM - FLESH_MM)
    return Centre(box_mm, edge_mm, first.fallback, _doubt(pieces, hand_mm, inside_mm, camera))


def _doubt(pieces: Pieces, hand_mm: Points, inside_mm: Points, camera: Camera) -> str:
    """What makes a box suspicious that no label confirms."""
    if _lie_at_edge(inside_mm, camera).mean() > SHARE_AT_EDGE / 100:
        return "the hand reaches the image's edge"
    if len(hand_mm) - len(inside_mm) > len(hand_mm) * SHARE_BEYOND / 100:
        return "what is seen reaches beyond the cube in which a hand is looked for: an arm, or a larger hand"
    if len(pieces.region_mm) < len(hand_mm) * LEAST_WHOLE / 100:
        return "the hand is seen in pieces: what lies in its holes may be missing"
    return ""


def _are_usable(joints_mm: Float32[np.ndarray, "joints 3"]) -> np.ndarray:
    return np.isfinite(joints_mm).all(axis=-1) & (joints_mm[:, 2] > 0)


def _fall_back_to_scored(frame: Frame, convention: Convention, reason: str) -> Centre:
    found = centre_on_scored(frame, convention)
    rule = found.fallback or "mean of the annotated scored joints"
    return Centre(found.centre_mm, found.cube_mm, f"{reason}: {rule}")


def _fall_back_to_mass(frame: Frame, convention: Convention, reason: str) -> Centre:
    found = centre_on_mass(frame, convention)
    return Centre(found.centre_mm, found.cube_mm, f"{reason}: {found.fallback or 'centre of mass'}")
