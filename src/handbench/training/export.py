"""A trained module as ONNX, for programs without torch: what `handbench export` does."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.conventions import DATASETS
from handbench.datasets.files import replace_file
from handbench.errors import BadInput
from handbench.methods import Trained
from handbench.training.graphs import pick_network, require_exportable
from handbench.training.handed_on import load_any

HOW_TO_GET = "onnx, onnxscript and onnxruntime: make setup, or pip install -e '.[export]' in the checkout"
DEPTH, JOINTS = "depth", "joints"
"""Names of what goes in, (frames, 1, S, S) in [-1, 1], and comes out, (frames, joints, 3) in half cube edges."""
WITHIN_MM = 1e-3


def export(folder: Path, out: Path) -> str:
    """Write the model with its iterations, for any number of frames, once ONNX Runtime gives torch's joints."""
    checkpoint = load_any(folder)
    trained = checkpoint.trained
    require_exportable(folder, trained.kind, [one.kind for one in trained.parts])
    model, examples = pick_network(trained), make_examples(trained)
    content = convert(model, examples)
    half_mm = max(DATASETS[checkpoint.card["dataset"]].cube_mm.values()) / 2
    off_mm = half_mm * measure_difference(model, content, examples)
    if not off_mm <= WITHIN_MM:
        raise BadInput(
            out, expected=f"joints within {WITHIN_MM:g} mm of torch's", found=f"{off_mm:.3g} mm", fix="report it"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, content)
    return f"{out}: {checkpoint.name}, {len(content):,} bytes, joints within {off_mm:.1g} mm of torch's"


def make_examples(trained: Trained) -> Float[Tensor, "frames 1 size size"]:
    """Slabs at several depths before an empty background; of one frame alone the number would be taken for fixed."""
    size = trained.size_px
    depth = torch.ones(3, 1, size, size)
    for place, level in enumerate((-0.4, 0.0, 0.3)):
        first = size // 4 + place
        depth[place, :, first : first + size // 2, size // 4 : 3 * size // 4] = level
    return depth


def convert(model: nn.Module, examples: Float[Tensor, "frames 1 size size"]) -> bytes:
    """The model as the bytes of an ONNX file."""
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BadInput("export", expected=HOW_TO_GET, found=str(error), fix="install them") from None
    # The exporter tells its progress, and of packages that it could do without.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            model,
            (examples,),
            input_names=[DEPTH],
            output_names=[JOINTS],
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("frames", min=1)},),
            verbose=False,
        )
    assert program is not None, "the exporter that builds on torch.export gives a program"
    content: bytes = program.model_proto.SerializeToString()
    return content


def measure_difference(model: nn.Module, content: bytes, examples: Float[Tensor, "frames 1 size size"]) -> float:
    """Largest difference of a coordinate between ONNX Runtime and torch, of all frames together and of one alone."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BadInput("export", expected=HOW_TO_GET, found=str(error), fix="install them") from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    off = 0.0
    for depth in (examples, examples[:1]):
        (joints,) = session.run([JOINTS], {DEPTH: depth.numpy()})
        with torch.no_grad():
            off = max(off, float(np.abs(joints - model(depth).numpy()).max()))
    return off
