"""The entry of a module in the config: what it says of itself, and which settings its kind takes."""

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from handbench.conventions import LOCALIZED
from handbench.crossing_modules import (
    CrossingAlignment,
    CrossingEstimator,
    CrossingGan,
    CrossingPosterior,
    CrossingVae,
)
from handbench.held_modules import (
    HeldHandPredictor,
    HeldHandSynthesizer,
    HeldLocalizer,
    HeldLoop,
    HeldObjectPredictor,
    HeldObjectRenderer,
    HeldObjectSynthesizer,
    HeldRotation,
    HeldShown,
    HeldSingle,
    HeldUpdater,
)
from handbench.modules import (
    DeepModelHand,
    DeepModelJoint,
    DeepModelParameter,
    Feedback15DeepPrior,
    Feedback15Predictor,
    Feedback15Synthesizer,
    Feedback15Updater,
    Feedback19Joint,
    Feedback19Localizer,
    Feedback19Predictor,
    Feedback19Synthesizer,
    Feedback19Updater,
    HandRenderer,
    ImageSearch,
    Loop,
    NearestNeighbour,
)
from handbench.refine_modules import RefineAdapted, RefineBase

Paper = Literal["feedback15", "feedback19", "deepmodel", "refine", "crossing"]
RenderedWord = Literal["train", "spheres", "cylinders", "composed"]
"""Sets of hands with objects."""
SetWord = Literal["train", "spheres", "cylinders", "composed", "hands"]
DatasetName = Literal["nyu", "icvl", "msra", "msra14", "dexter", "wristband"]
Subject = Literal["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]
Count = Annotated[int, Field(ge=1)]

CENTRES = ("joint", "com", "block", "seen", LOCALIZED, "joint-<name>", "com-<mm>")


def find_nearest(word: str, known: Sequence[str]) -> str:
    return difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _check_centre_word(word: str) -> str:
    named = word.startswith("joint-") and word.removeprefix("joint-").isidentifier()
    if word not in CENTRES[:5] and not named and not re.fullmatch(r"com-\d{2,4}", word):
        near = find_nearest(word, CENTRES)
        raise ValueError(f"centre {word!r} where {', '.join(CENTRES)} belong; did you mean {near}?")
    return word


def _check_once(subjects: list[str]) -> list[str]:
    if len(set(subjects)) < len(subjects):
        raise ValueError(f"{', '.join(subjects)} where each subject may stand once")
    return subjects


Centre = Annotated[str, AfterValidator(_check_centre_word)]


class Strict(BaseModel):
    """Unknown keys are errors, and "3" is not 3."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Module(Strict):
    """What every trained module says of itself; each kind adds its own settings."""

    title: Annotated[str, Field(min_length=1)]
    paper: Paper
    datasets: list[DatasetName]
    needs: list[str] = []
    centre: Centre | None = None
    """Other crops than those of its paper."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    folds: Annotated[list[Subject], Field(min_length=1), AfterValidator(_check_once)] | None = None
    """MSRA's subjects that are left out, a training each; null for all nine."""


class NearestNeighbourModule(_Module):
    """Nearest-neighbour search over principal components."""

    kind: Literal["nearest_neighbour"]
    settings: NearestNeighbour = NearestNeighbour()


class Feedback15PredictorModule(_Module):
    """The simple predictor of the feedback loop."""

    kind: Literal["feedback15.predictor"]
    settings: Feedback15Predictor = Feedback15Predictor()


class Feedback15DeepPriorModule(_Module):
    """DeepPrior, a better start for the loop."""

    kind: Literal["feedback15.deepprior"]
    settings: Feedback15DeepPrior = Feedback15DeepPrior()


class Feedback15SynthesizerModule(_Module):
    """The synthesizer of 2015."""

    kind: Literal["feedback15.synthesizer"]
    settings: Feedback15Synthesizer = Feedback15Synthesizer()


class Feedback15UpdaterModule(_Module):
    """The updater of 2015."""

    kind: Literal["feedback15.updater"]
    settings: Feedback15Updater = Feedback15Updater()


class HandRendererModule(_Module):
    """The hand model drawn in the place of a synthesizer network."""

    kind: Literal["hand_renderer"]
    settings: HandRenderer = HandRenderer()


class ImageSearchModule(_Module):
    """The pose whose synthesized image is most like the camera's."""

    kind: Literal["image_search"]
    settings: ImageSearch = ImageSearch()


class LoopModule(_Module):
    """A predictor, a synthesizer and an updater put together."""

    kind: Literal["feedback_loop"]
    settings: Loop = Loop()


class Feedback19LocalizerModule(_Module):
    """The localizer of 2019."""

    kind: Literal["feedback19.localizer"]
    settings: Feedback19Localizer = Feedback19Localizer()


class Feedback19PredictorModule(_Module):
    """DeepPrior++."""

    kind: Literal["feedback19.predictor"]
    settings: Feedback19Predictor = Feedback19Predictor()


class Feedback19SynthesizerModule(_Module):
    """The synthesizer of 2019."""

    kind: Literal["feedback19.synthesizer"]
    settings: Feedback19Synthesizer = Feedback19Synthesizer()


class Feedback19UpdaterModule(_Module):
    """The updater of 2019."""

    kind: Literal["feedback19.updater"]
    settings: Feedback19Updater = Feedback19Updater()


class Feedback19JointModule(_Module):
    """The three networks of 2019 trained together."""

    kind: Literal["feedback19.joint"]
    settings: Feedback19Joint = Feedback19Joint()


class DeepModelHandModule(_Module):
    """The network that ends in the hand model layer."""

    kind: Literal["deepmodel.hand"]
    settings: DeepModelHand = DeepModelHand()


class DeepModelJointModule(_Module):
    """The same network without the layer."""

    kind: Literal["deepmodel.joint"]
    settings: DeepModelJoint = DeepModelJoint()


class DeepModelParameterModule(_Module):
    """The same network trained on fitted poses."""

    kind: Literal["deepmodel.parameter"]
    settings: DeepModelParameter = DeepModelParameter()


class _HeldModule(_Module):
    """Hand and object together: learned from rendered frames, tested on Dexter+Object."""

    learns: RenderedWord = "train"
    """The rendered set that it learns from."""


class HeldHandLocalizerModule(_HeldModule):
    """The hand's localizer, of crops of hand and object."""

    kind: Literal["handobject.hand_localizer"]
    settings: HeldLocalizer = HeldLocalizer()


class HeldObjectLocalizerModule(_HeldModule):
    """The object's localizer."""

    kind: Literal["handobject.object_localizer"]
    settings: HeldLocalizer = HeldLocalizer()


class HeldHandPredictorModule(_HeldModule):
    """The hand's predictor behind the prior."""

    kind: Literal["handobject.hand_predictor"]
    settings: HeldHandPredictor = HeldHandPredictor()


class HeldObjectPredictorModule(_HeldModule):
    """The predictor of the object's corners."""

    kind: Literal["handobject.object_predictor"]
    settings: HeldObjectPredictor = HeldObjectPredictor()


class HeldRotationModule(_HeldModule):
    """The object predicted as place and rotation, with the loop's hand."""

    kind: Literal["handobject.rotation"]
    settings: HeldRotation = HeldRotation()


class HeldSingleModule(_HeldModule):
    """One network for hand and object."""

    kind: Literal["handobject.single"]
    settings: HeldSingle = HeldSingle()


class HeldHandSynthesizerModule(_HeldModule):
    """The hand's synthesizer."""

    kind: Literal["handobject.hand_synthesizer"]
    settings: HeldHandSynthesizer = HeldHandSynthesizer()


class HeldObjectSynthesizerModule(_HeldModule):
    """The object drawn by a network."""

    kind: Literal["handobject.object_synthesizer"]
    settings: HeldObjectSynthesizer = HeldObjectSynthesizer()


class HeldObjectRendererModule(_HeldModule):
    """The object drawn by the renderer."""

    kind: Literal["handobject.object_renderer"]
    settings: HeldObjectRenderer = HeldObjectRenderer()


class HeldHandUpdaterModule(_HeldModule):
    """The hand's updater."""

    kind: Literal["handobject.hand_updater"]
    settings: HeldUpdater = HeldUpdater()


class HeldObjectUpdaterModule(_HeldModule):
    """The object's updater."""

    kind: Literal["handobject.object_updater"]
    settings: HeldUpdater = HeldUpdater()


class HeldLoopModule(_HeldModule):
    """Hand and object, put together."""

    kind: Literal["handobject.loop"]
    settings: HeldLoop = HeldLoop()


class CrossingVaeModule(_Module):
    """The pose VAE."""

    kind: Literal["crossing.vae"]
    settings: CrossingVae = CrossingVae()


class CrossingGanModule(_Module):
    """The depth GAN."""

    kind: Literal["crossing.gan"]
    settings: CrossingGan = CrossingGan()


class CrossingAlignmentModule(_Module):
    """What brings both latent spaces together."""

    kind: Literal["crossing.alignment"]
    settings: CrossingAlignment = CrossingAlignment()


class CrossingEstimatorModule(_Module):
    """Crossing Nets, all together."""

    kind: Literal["crossing.estimator"]
    settings: CrossingEstimator = CrossingEstimator()


class CrossingPosteriorModule(_Module):
    """The posterior network alone."""

    kind: Literal["crossing.posterior"]
    settings: CrossingPosterior = CrossingPosterior()


class HeldShownModule(_HeldModule):
    """The same for an object that no test set has."""

    kind: Literal["handobject.shown"]
    settings: HeldShown = HeldShown()


class RefineBaseModule(_Module):
    """The base network of refine."""

    kind: Literal["refine.base"]
    settings: RefineBase = RefineBase()


class RefineAdaptedModule(_Module):
    """The same, adapted to a dataset without its labels."""

    kind: Literal["refine.adapted"]
    settings: RefineAdapted = RefineAdapted()


Module = (
    NearestNeighbourModule
    | Feedback15PredictorModule
    | Feedback15DeepPriorModule
    | Feedback15SynthesizerModule
    | Feedback15UpdaterModule
    | HandRendererModule
    | ImageSearchModule
    | LoopModule
    | Feedback19LocalizerModule
    | Feedback19PredictorModule
    | Feedback19SynthesizerModule
    | Feedback19UpdaterModule
    | Feedback19JointModule
    | DeepModelHandModule
    | DeepModelJointModule
    | DeepModelParameterModule
    | HeldHandLocalizerModule
    | HeldObjectLocalizerModule
    | HeldHandPredictorModule
    | HeldObjectPredictorModule
    | HeldRotationModule
    | HeldSingleModule
    | HeldHandSynthesizerModule
    | HeldObjectSynthesizerModule
    | HeldObjectRendererModule
    | HeldHandUpdaterModule
    | HeldObjectUpdaterModule
    | HeldLoopModule
    | CrossingVaeModule
    | CrossingGanModule
    | CrossingAlignmentModule
    | CrossingEstimatorModule
    | CrossingPosteriorModule
    | HeldShownModule
    | RefineBaseModule
    | RefineAdaptedModule
)
