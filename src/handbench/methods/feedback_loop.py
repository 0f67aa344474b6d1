"""The loop of both feedback papers: any predictor as the start, then the updater on what the synthesizer draws.

M. Oberweger, P. Wohlhart, V. Lepetit: "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015, Eq. 4, and
"Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019, Eqs. 4, 11 and 12.

    p(0) = pred(D)
    p(i+1) = p(i) + updater(D, synth(p(i)))

Nothing is trained here: the parts were, each by itself. Both papers stop after two iterations.
"""

from jaxtyping import Float
from torch import Tensor

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.iteration import FeedbackLoop, run_whole
from handbench.loop.loop_probe import probe_loop
from handbench.methods import Method, Numbers, State, Trained, TrainingRun
from handbench.modules import Loop


def put_together(crops: CropDataset, settings: Loop, run: TrainingRun) -> State:
    """The checkpoint holds the parts; of its own the loop has nothing to learn."""
    return {}


def build_model(trained: Trained) -> FeedbackLoop:
    predictor, synthesizer, updater = (part.build() for part in trained.parts)
    return FeedbackLoop(predictor, synthesizer, updater, trained.settings.iterations)


def predict(trained: Trained, depth: Float[Tensor, "frames 1 size size"]) -> Float[Tensor, "steps frames joints 3"]:
    """The predictor's pose and that after each iteration."""
    return run_whole(build_model(trained).eval(), depth)


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """What updates do to poses around the truth, and how long each part takes."""
    return probe_loop(build_model(trained).eval(), crops)


METHOD = Method(put_together, build_model, predict, probe)
