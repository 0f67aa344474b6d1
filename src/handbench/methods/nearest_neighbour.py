"""Nearest-neighbour search over principal components: the baseline "nn-search" of crossing, Section 5.3.

Wan, Probst, Van Gool, Yao: Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation, CVPR 2017. The depth map is reduced to 512 numbers by principal component analysis; a test frame takes the
pose of the training frame that is nearest in those.

    x    depth     (frames, 1, S, S)  patch in [-1, 1]
    m    mean      (S * S)            mean patch of the training set
    W    basis     (K, S * S)         principal components, orthonormal rows, K = 512
    y    features  (frames, K)        W (x - m)

What the paper leaves open, and what is done here: the crop is that of the other methods of the paper (a cube around the
centre of mass); distance is Euclidean, components are not whitened; one neighbour; its pose is taken relative to the
centre of its crop in units of half the cube's edge, and put into the test frame's cube. Frames with a joint that
nobody labelled are no candidates. With fewer training frames than components there are as many components as frames
less one.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.loop.crop_data import apply, find_labelled
from handbench.methods import Method, State, Trained, TrainingRun
from handbench.modules import NearestNeighbour

OVERSAMPLING = 32
POWER_ITERATIONS = 2
"""Of the randomised decomposition; a test holds what it explains to the exact one."""


def train(crops: CropDataset, settings: NearestNeighbour, run: TrainingRun) -> State:
    """Principal components of all patches, features and poses of all labelled frames."""
    tensors = crops.tensors()
    depth, joints = tensors["depth"].flatten(1), tensors["joints"]
    labelled = find_labelled(crops)
    if labelled.sum() < 2:
        raise BadInput(
            crops.store.path,
            expected="at least two frames with every joint labelled",
            found=str(int(labelled.sum())),
            fix="train on more frames",
        )
    mean, basis, explained = find_components(depth, settings.components)
    features = project(depth[labelled], mean, basis)
    run.log({"explained_variance": explained, "candidates": float(labelled.sum()), "components": float(len(basis))}, 0)
    return {"mean": mean, "basis": basis, "features": features, "joints": joints[labelled]}


def predict(trained: Trained, depth: Float[Tensor, "frames 1 size size"]) -> Float[Tensor, "steps frames joints 3"]:
    """The pose of the nearest training frame, in units of half the cube's edge around the centre of the crop."""
    return apply(trained.build(), depth)[None]


def find_components(
    depth: Float[Tensor, "frames pixels"], components: int
) -> tuple[Float[Tensor, "pixels"], Float[Tensor, "kept pixels"], float]:
    """Mean m, components W (largest first, signs fixed), and the share of the variance that they explain."""
    mean = depth.mean(dim=0)
    centred = depth - mean
    kept = min(components, len(depth) - 1, depth.shape[1])
    rank = min(kept + OVERSAMPLING, *depth.shape)
    _, singular, right = torch.svd_lowrank(centred, q=rank, niter=POWER_ITERATIONS)
    basis = right[:, :kept].T.contiguous()
    # A component's sign is free: its largest entry is made positive, so that it does not depend on the machine.
    largest = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True))
    explained = singular[:kept].square().sum() / centred.square().sum().clamp_min(torch.finfo(depth.dtype).tiny)
    # Two sums in single precision may end a millionth above the whole.
    return mean, basis * largest.sign(), min(float(explained), 1.0)


def project(
    depth: Float[Tensor, "frames pixels"], mean: Float[Tensor, "pixels"], basis: Float[Tensor, "kept pixels"]
) -> Float[Tensor, "frames kept"]:
    """y = W (x - m)."""
    return (depth - mean) @ basis.T


def find_nearest(queries: Float[Tensor, "queries kept"], features: Float[Tensor, "frames kept"]) -> Tensor:
    """Row of the candidate at the smallest Euclidean distance; of equals the first."""
    # |q - y|^2 = |q|^2 - 2 q y + |y|^2, and |q|^2 moves no minimum.
    return torch.argmin(features.square().sum(dim=1) - 2 * queries @ features.T, dim=1)


class Search(torch.nn.Module):
    """What was trained as one module, for those who want it whole."""

    def __init__(self, state: State) -> None:
        super().__init__()
        for name, tensor in state.items():
            self.register_buffer(name, tensor)

    def forward(self, depth: Float[Tensor, "frames 1 size size"]) -> Float[Tensor, "frames joints 3"]:
        state = dict(self.named_buffers())
        return state["joints"][
            find_nearest(project(depth.flatten(1), state["mean"], state["basis"]), state["features"])
        ]


def build_model(trained: Trained) -> Search:
    return Search(trained.state)


METHOD = Method(train, build_model, predict)
