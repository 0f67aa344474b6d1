"""Who records what in the embedded datasets: people, sequences and poses, planned before anything is drawn.

The plan mirrors the real sets in miniature: NYU's one training and two test people, ICVL's sessions and two test
people, MSRA's nine people and 17 gestures, MSRA14's six people, Dexter+Object's six sequences; and one person before a
camera of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handbench.conventions import (
    DEXTER_SEQUENCES,
    ICVL_SESSION_LINES,
    ICVL_SESSIONS,
    ICVL_TEST_FRAMES,
    MSRA,
    MSRA14_SUBJECT_SCALE,
    MSRA_GESTURES,
    MSRA_SUBJECTS,
    SYNTHESIZED,
)
from handbench.hand.sampling import PoseRange, sample_sequence
from handbench.hand.skeleton import REFERENCE_SHAPE, HandShape, sample_shape, vary_shape

_NYU_BLOCK = 500
"""Frames after which the NYU camera finds another room and person behind the hand."""

_WRISTBAND_STRETCH = 1000
"""Frames that the person with the wristband records in one go to learn from."""

_NYU_TEST_PEOPLE = (("test_1", 1.0, 2440), ("test_2", 0.868, 696), ("test_2", 0.828, 5116))
"""Subject, hand size and frames of the real test set's three stretches of constant size."""


@dataclass(frozen=True)
class Recording:
    """One take: a person, a place and a stretch of frames."""

    dataset: str
    split: str
    subject: str
    sequence: str
    frames: int
    shape: HandShape
    gesture: str | None
    stride: int
    """Of what was recorded only each such frame is kept."""
    poses: PoseRange
    stream: tuple[int, ...]
    """Seed of this take's random numbers; another take's or split's length never changes them."""

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([*self.stream, purpose])


def sample_poses(recording: Recording) -> Float[np.ndarray, "frames 26"]:
    """The poses of a take."""
    camera = SYNTHESIZED[recording.dataset].camera
    view_angle = (0.5 * camera.width / camera.fx, 0.5 * camera.height / camera.fy)
    return sample_sequence(
        recording.rng(0),
        recording.frames,
        recording.poses,
        recording.shape,
        view_angle,
        recording.gesture,
        recording.stride,
    )


PlannedTake = tuple[str, str, int, HandShape, str | None]
"""Subject, sequence, frames, the person's hand, and the gesture that is held, if any."""


def plan_people(
    split: str, frames: int, *, people: Mapping[str, Sequence[int]], middle_finger_share: float
) -> list[PlannedTake]:
    """So many people in each split, a take each, with hands of about one size; a person is a number of `make_person`.

    The plan of a dataset of which no more is known.
    """
    counts = share_frames(frames, [1] * len(people[split]))
    return [
        (f"person_{number}", f"person_{number}", count, make_person(number, middle_finger_share), None)
        for number, count in zip(people[split], counts, strict=True)
    ]


def plan_msra(split: str, frames: int) -> list[PlannedTake]:
    names = [(subject, gesture) for subject in MSRA_SUBJECTS for gesture in MSRA_GESTURES]
    counts = share_frames(frames, [1] * len(names))
    return [
        (subject, f"{subject}/{gesture}", count, _msra_shape(subject), gesture)
        for (subject, gesture), count in zip(names, counts, strict=True)
    ]


def plan_msra14(split: str, frames: int) -> list[PlannedTake]:
    counts = share_frames(frames, [1] * len(MSRA14_SUBJECT_SCALE))
    return [
        (subject, subject, count, make_person(140 + i, 0.76 * scale), None)
        for i, ((subject, scale), count) in enumerate(zip(MSRA14_SUBJECT_SCALE.items(), counts, strict=True))
    ]


def plan_dexter(split: str, frames: int) -> list[PlannedTake]:
    counts = share_frames(frames, [1] * len(DEXTER_SEQUENCES))
    return [
        (f"actor_{i % 2 + 1}", name, count, make_person(150 + i % 2, 0.86), None)
        for i, (name, count) in enumerate(zip(DEXTER_SEQUENCES, counts, strict=True))
    ]


def plan_nyu(split: str, frames: int) -> list[PlannedTake]:
    if split == "train":
        blocks = [_NYU_BLOCK] * (frames // _NYU_BLOCK) + [frames % _NYU_BLOCK]
        return [("train", "train", count, REFERENCE_SHAPE, None) for count in blocks]
    counts = share_frames(frames, [real for _, _, real in _NYU_TEST_PEOPLE])
    takes: list[PlannedTake] = []
    for (subject, size, _), count in zip(_NYU_TEST_PEOPLE, counts, strict=True):
        shape = REFERENCE_SHAPE if subject == "test_1" else _second_person(size)
        takes.append((subject, subject, count, shape, None))
    return takes


def _second_person(size: float) -> HandShape:
    return vary_shape(REFERENCE_SHAPE, size=size, finger_lengths=np.array([0.97, 1.0, 0.98, 1.0, 0.97]), girth=0.97)


def plan_icvl(split: str, frames: int) -> list[PlannedTake]:
    if split == "train":
        counts = share_frames(frames, ICVL_SESSION_LINES)
        # Twelve sessions of ten people: the last two sessions are of people who came before.
        shapes = [make_person(100 + i % 10, 0.79) for i in range(len(ICVL_SESSIONS))]
        return [
            (session, session, count, shape, None)
            for session, count, shape in zip(ICVL_SESSIONS, counts, shapes, strict=True)
        ]
    counts = share_frames(frames, list(ICVL_TEST_FRAMES.values()))
    shapes = [
        vary_shape(REFERENCE_SHAPE, size=size, finger_lengths=np.array(lengths), palm_stretch=(1.0, 0.97, 1.0))
        for size, lengths in ((0.80, (0.92, 0.97, 1.0, 0.98, 0.98)), (0.77, (0.95, 1.0, 0.98, 1.0, 0.97)))
    ]
    return [
        (name, name, count, shape, None) for name, count, shape in zip(ICVL_TEST_FRAMES, counts, shapes, strict=True)
    ]


def plan_wristband(split: str, frames: int) -> list[PlannedTake]:
    """One person: the test set is one stretch without a break, the other is recorded in several."""
    stretch = frames if split == "test" else _WRISTBAND_STRETCH
    counts = [min(stretch, frames - first) for first in range(0, frames, max(stretch, 1))]
    # Broader and thicker than the reference hand, with a short thumb and index finger: a hand of nobody in NYU or ICVL.
    shape = vary_shape(
        REFERENCE_SHAPE,
        size=0.9,
        finger_lengths=np.array([0.93, 0.95, 1.0, 1.04, 1.06]),
        girth=1.1,
        palm_stretch=(1.08, 0.96, 1.1),
    )
    return [(split, split, count, shape, None) for count in counts]


def make_person(number: int, middle_finger_share: float) -> HandShape:
    """One person's hand, the same in every run: a seed changes what people do, not who they are.

    Its middle finger has the given length relative to the reference hand's.
    """
    shape = sample_shape(np.random.default_rng(number))
    present = shape.lengths_mm[2].sum() / REFERENCE_SHAPE.lengths_mm[2].sum()
    return vary_shape(shape, size=middle_finger_share / present)


def _msra_shape(subject: str) -> HandShape:
    """The cube the protocol gives a subject (200 down to 150 mm) tells how large the hand is."""
    cube = MSRA.cube_of(subject)
    return make_person(120 + MSRA_SUBJECTS.index(subject), 0.78 * (cube / 200.0) ** 0.8)


def share_frames(total: int, weights: list[int] | tuple[int, ...]) -> list[int]:
    """Split a total in proportion to weights; the counts add up exactly."""
    edges = np.rint(np.cumsum([0, *weights]) / sum(weights) * total).astype(int)
    return [int(count) for count in np.diff(edges)]
