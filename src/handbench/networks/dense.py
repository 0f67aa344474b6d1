"""A fully connected layer that is quick for a single frame on a CPU.

Of one frame, a loop of 64 pixels spends half its time on reading 60 MB of weights once. The matrix product behind
torch's layer fetches them at half the speed at which the memory hands them over, since it goes one row after the
other; four rows side by side keep more of it under way. Autocast to bfloat16 would write all weights anew for the one
frame: such a frame is multiplied in single precision too. Whatever is not a single frame on a CPU without gradients
takes torch's way.
"""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor, nn

ROWS = 4
"""Rows at a time: two are slower, eight no faster."""


class Dense(nn.Linear):
    """torch's own layer, with the same weights under the same names."""

    def forward(self, input: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        if self._is_simple(input):
            answer = torch.empty(1, self.out_features)
            weight, bias, features = (
                one.detach().numpy() for one in (self.weight, self.bias, input.float().contiguous())
            )
            _multiply(weight, features[0], bias, answer.numpy()[0])
            return answer
        return super().forward(input)

    def _is_simple(self, input: Tensor) -> bool:
        """Whether nothing but numbers is asked for: an export follows the layer's own operation instead."""
        return (
            not torch.is_grad_enabled()
            and input.shape[0] == 1
            and input.device.type == "cpu"
            and self.weight.dtype == torch.float32
            and self.weight.is_contiguous()
            and (input.dtype == torch.float32 or torch.is_autocast_enabled("cpu"))
            and not torch.compiler.is_compiling()
            and not torch.jit.is_tracing()
        )


# The kernel carries @no_type_check because the tests' shape checker would wrap it before numba can compile it.
@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
@no_type_check
def _multiply(
    weight: Float[np.ndarray, "outputs inputs"],
    features: Float[np.ndarray, "inputs"],
    bias: Float[np.ndarray, "outputs"],
    answer: Float[np.ndarray, "outputs"],
) -> None:
    whole = len(answer) - len(answer) % ROWS
    for row in range(0, whole, ROWS):
        first, second, third, fourth = bias[row], bias[row + 1], bias[row + 2], bias[row + 3]
        for column in range(len(features)):
            one = features[column]
            first += weight[row, column] * one
            second += weight[row + 1, column] * one
            third += weight[row + 2, column] * one
            fourth += weight[row + 3, column] * one
        answer[row], answer[row + 1], answer[row + 2], answer[row + 3] = first, second, third, fourth
    for row in range(whole, len(answer)):
        total = bias[row]
        for column in range(len(features)):
            total += weight[row, column] * features[column]
        answer[row] = total
