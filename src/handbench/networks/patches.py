"""What all networks ask of a patch: its size, and its layout in memory."""

from jaxtyping import Float
from torch import Tensor

from handbench.errors import BadInput


def require_size(network: str, size_px: int) -> None:
    """Pooling by four and by two must come out even."""
    if size_px < 16 or size_px % 8:
        raise BadInput(
            network, expected="a patch size that 8 divides, 16 or more", found=str(size_px), fix="use 64 or 128"
        )


def put_channels_last(images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 1 size size"]:
    """The same numbers with strides that tell convolutions to keep channels innermost, which a CPU likes better.

    With one channel both layouts hold the same bytes, so `contiguous(memory_format=channels_last)` leaves the strides
    alone and the first convolution answers with its channels outermost.
    """
    return images.squeeze(1)[..., None].permute(0, 3, 1, 2)
