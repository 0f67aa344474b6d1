"""The kinds of joint hand-object pose (feedback19, Sections 4 and 6) and their settings."""

from typing import Annotated, Literal

from pydantic import Field

from handbench.module_settings import (
    Augmentation,
    Fitting,
    Kind,
    Settings,
    SynthesizerFitting,
    UpdaterFitting,
)

Edge = Annotated[float, Field(ge=20, le=600)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Size = Annotated[list[Edge], Field(min_length=3, max_length=3)]


class OnDexter(Settings):
    """What whoever looks at frames of Dexter+Object has to be told."""

    mirror: bool = True
    """Its hands are left ones, those that were learned from right ones: images and poses go through a mirror."""


class KnowsBoxes(OnDexter):
    """The object at hand is known, as in the paper."""

    boxes_mm: dict[str, Size] = Field(default={})
    """Edges of the box of each sequence, in any order, where no truth tells them: real data."""


class HeldLocalizer(Fitting, OnDexter):
    """The localizer of the hand or of the object (feedback19 4.2)."""

    augmentation: Augmentation = Augmentation(shift_mm=30.0, turn_deg=30.0)
    """Ours: a forearm pulls the centre of mass by more than the rendered frames tell."""


class InCube(Fitting):
    """What sees the small cube that the spatial transformer cuts."""

    place_noise_mm: Annotated[float, Field(ge=0, le=50)] = 8.0
    """Ours: standard deviation, on each axis, of the place of the cube beside the true one: a localizer's error."""
    augmentation: Augmentation = Augmentation(turn_deg=30.0)


class HeldHandPredictor(InCube):
    """The hand's joints behind the pose prior (feedback19 4.4)."""

    cube_mm: Edge = 200.0
    """Edge of the hand's cube, MSRA's: ours."""
    components: Annotated[int, Field(ge=1)] = 30
    """Of the pose prior: Sec. 3.3."""


class HeldObjectPredictor(InCube):
    """The object's eight corners (feedback19 4.4)."""

    cube_mm: Edge = 180.0
    """Edge of the object's cube: ours, room for the benchmark's larger box."""


class HeldRotation(HeldObjectPredictor, KnowsBoxes):
    """The object's place and rotation in the place of its corners (feedback19 4.4, [77])."""

    rotation_weight: Annotated[float, Field(gt=0)] = 1.0
    """Of the squared difference of rotation matrices beside that of places in half cube edges: ours."""


class HeldSingle(Fitting, KnowsBoxes):
    """One network for hand and object (feedback19 6.3)."""

    augmentation: Augmentation = Augmentation(shift_mm=30.0, turn_deg=30.0)


class HeldHandSynthesizer(SynthesizerFitting):
    """The hand's synthesizer (feedback19 4.5)."""

    cube_mm: Edge = 200.0
    augmentation: Augmentation = Augmentation(shift_mm=2.0, turn_deg=30.0)


class HeldObjectSynthesizer(SynthesizerFitting):
    """A network that draws the object (feedback19 4.5)."""

    cube_mm: Edge = 180.0
    augmentation: Augmentation = Augmentation(shift_mm=2.0, turn_deg=30.0)


class HeldObjectRenderer(Settings):
    """The known object drawn by the renderer (feedback19 4.5): nothing to set."""


class HeldUpdater(UpdaterFitting):
    """The updater of the hand or of the object (feedback19 4.5)."""

    recrop: Literal["localizer", "pose"] = "pose"
    """Where the crops of an iteration are cut (docs/hand-object-loop.md)."""
    noise_deg: Degrees = 8.0
    """Ours: of a noisy pose of an object, the standard deviation of its turn about each axis; `noise_mm` is that of
    its place, and of each joint of a hand."""
    place_noise_mm: Annotated[float, Field(ge=0, le=50)] = 8.0
    """Ours: of the crops that a localizer has put, as a predictor's."""
    augmentation: Augmentation = Augmentation(turn_deg=30.0)


class HeldLoop(KnowsBoxes):
    """Algorithm 1 (feedback19 4.5): put together from its parts."""

    iterations: Annotated[int, Field(ge=1)] = 2
    """Sec. 6.3."""


class HeldShown(Settings):
    """Algorithm 1 for an object that no test set has (feedback19 Fig. 15), shown on frames of persons apart."""

    iterations: Annotated[int, Field(ge=1)] = 2
    """Sec. 6.3."""


_LOCATED = ("hand localizer", "object localizer", "held hand predictor")
_STARTED = (*_LOCATED, "object predictor", "held hand synthesizer", "object synthesizer")
_LOOP = (*_STARTED, "held hand updater", "object updater")

KINDS: dict[str, Kind] = {
    "handobject.hand_localizer": Kind(
        HeldLocalizer, "hand localizer", predicts=False, probes=True, renders=True, asks_truth=True, spreads=True
    ),
    "handobject.object_localizer": Kind(
        HeldLocalizer, "object localizer", predicts=False, probes=True, renders=True, asks_truth=True, spreads=True
    ),
    "handobject.hand_predictor": Kind(
        HeldHandPredictor, "held hand predictor", predicts=False, renders=True, spreads=True
    ),
    "handobject.object_predictor": Kind(
        HeldObjectPredictor, "object predictor", predicts=False, renders=True, spreads=True
    ),
    "handobject.rotation": Kind(HeldRotation, "held pose", _LOCATED, whole=True, renders=True, spreads=True),
    "handobject.single": Kind(HeldSingle, "held pose", renders=True, spreads=True),
    "handobject.hand_synthesizer": Kind(HeldHandSynthesizer, "held hand synthesizer", predicts=False, renders=True),
    "handobject.object_synthesizer": Kind(HeldObjectSynthesizer, "object synthesizer", predicts=False, renders=True),
    "handobject.object_renderer": Kind(
        HeldObjectRenderer, "object synthesizer", predicts=False, learns_images=False, renders=True
    ),
    "handobject.hand_updater": Kind(HeldUpdater, "held hand updater", _STARTED, predicts=False, renders=True),
    "handobject.object_updater": Kind(HeldUpdater, "object updater", _STARTED, predicts=False, renders=True),
    "handobject.loop": Kind(HeldLoop, "held pose", _LOOP, whole=True, probes=True, renders=True),
    "handobject.shown": Kind(HeldShown, "shown pose", _LOOP, whole=True, predicts=False, probes=True, renders=True),
}
