"""Image-based optimisation: from the predictor's pose to the one whose synthesized image is most like the camera's.

What both feedback papers hold their loop against: feedback15 Sec. 4.5 and Figs. 9 and 10, feedback19 Sec. 5.4.

    p = argmin |D - synth(p)|^2     Eq. 3, every coordinate inside the cube

By L-BFGS-B as in the papers, batched or scipy's own, or by a particle swarm (Sec. 4.5 of 2015). Nothing is trained.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.datasets.torch_dataset import CropDataset
from handbench.fitting.energy import AT_ONCE, AT_ONCE_ON_GPU, ImageEnergy
from handbench.fitting.lbfgsb import minimise
from handbench.fitting.problem import DescentSettings, Trace, bound_by_cube
from handbench.fitting.pso import SwarmSettings
from handbench.fitting.pso import search as fly
from handbench.fitting.scipy_lbfgsb import minimise_with_scipy
from handbench.loop.crop_data import apply, choose_evenly, device_of, gather, measure_error_mm
from handbench.loop.iteration import FeedbackLoop
from handbench.methods import Method, Numbers, State, Trained, TrainingRun
from handbench.modules import ImageSearch

Images = Float[Tensor, "frames 1 size size"]


def put_together(crops: CropDataset, settings: ImageSearch, run: TrainingRun) -> State:
    """The checkpoint holds predictor and synthesizer; of its own the search has nothing to learn."""
    return {}


def build_model(trained: Trained) -> FeedbackLoop:
    """Where the search starts, as one network: the predictor, and the synthesizer that no updater follows."""
    predictor, synthesizer = (part.build() for part in trained.parts)
    return FeedbackLoop(predictor, synthesizer, torch.nn.Identity(), iterations=0)


def search(trained: Trained, depth: Images) -> Trace:
    """The path of every frame from the predictor's pose on."""
    settings: ImageSearch = trained.settings
    whole = build_model(trained).eval()
    device = device_of(whole.synthesizer)
    start = apply(whole.predictor, depth).flatten(1).to(device)
    at_once = AT_ONCE if device.type == "cpu" else AT_ONCE_ON_GPU
    energy, bounds = ImageEnergy(whole.synthesizer, depth.to(device), at_once), bound_by_cube(trained.joints)
    if settings.optimiser == "pso":
        generator = torch.Generator(device).manual_seed(settings.seed)
        spread = torch.full((3 * trained.joints,), settings.spread)
        swarm = SwarmSettings(settings.particles, settings.iterations)
        return fly(energy.measure_swarm, start, spread, bounds, generator, swarm)
    run = minimise if settings.optimiser == "lbfgsb" else minimise_with_scipy
    return run(energy.differentiate, start, bounds, DescentSettings(settings.iterations))


def predict(trained: Trained, depth: Images) -> Float[Tensor, "steps frames joints 3"]:
    """The predictor's pose, and that after each iteration."""
    return search(trained, depth).points.unflatten(2, (trained.joints, 3)).cpu()


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How image error and pose error go together, on the frames that are predicted."""
    data = gather(crops)
    rows = choose_evenly(len(data["depth"]), trained.settings.frames)
    data = {name: values[rows] for name, values in data.items()}
    trace = search(trained, data["depth"])
    poses = trace.points.unflatten(2, (trained.joints, 3)).cpu()
    return {
        "frames": len(rows),
        "image_error": trace.energies.mean(dim=1).tolist(),
        "pose_error_mm": [measure_error_mm(pose, data) for pose in poses],
        "evaluations_a_frame": float(trace.evaluations.float().mean()),
    }


METHOD = Method(put_together, build_model, predict, probe)
