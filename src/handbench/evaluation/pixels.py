"""How well a synthesized depth image matches the rendered or measured one: by pixel, at the outline and inside."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

BAND_PX = 3
Masks = Bool[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class PixelErrors:
    """Absolute depth differences over one set of pixels, in millimetres."""

    pixels: int
    mean_mm: float
    median_mm: float
    deviation_mm: float
    """Standard deviation, as the papers print it behind the mean."""


def measure_pixels(
    synthetic_mm: Float[np.ndarray, "frames height width"],
    true_mm: Float[np.ndarray, "frames height width"],
    hand: Masks,
) -> dict[str, PixelErrors]:
    """Errors over `all` pixels, the `hand`, the `outline` band and the `inside` of the hand.

    Patches are given in millimetres relative to the cube's centre or to the camera; background has the cube's far
    face in both images. A pixel that is NaN in the true image is left out.
    """
    errors_mm = np.abs(synthetic_mm.astype(np.float64) - true_mm)
    known = ~np.isnan(true_mm)
    outline = find_outline(hand)
    masks = {"all": np.ones_like(hand), "hand": hand, "outline": outline, "inside": hand & ~outline}
    return {name: _summarize(errors_mm[mask & known]) for name, mask in masks.items()}


def find_outline(hand: Masks, *, width_px: int = BAND_PX) -> Masks:
    """Pixels within `width_px` steps (diagonals count as one) of a pixel on the other side of the outline.

    The band takes in both sides, since an outline that is off by a pixel errs on both.
    """
    return (hand & _grow(~hand, width_px)) | (~hand & _grow(hand, width_px))


def _grow(mask: Masks, steps: int) -> Masks:
    """Every pixel whose square neighbourhood of `steps` holds a set pixel; beyond the image nothing is set."""
    rows, columns = mask.shape[1:]
    wide = np.pad(mask, ((0, 0), (steps, steps), (steps, steps)))
    across = np.logical_or.reduce([wide[:, :, step : step + columns] for step in range(2 * steps + 1)])
    return np.logical_or.reduce([across[:, step : step + rows] for step in range(2 * steps + 1)])


def _summarize(errors_mm: Float64[np.ndarray, "pixels"]) -> PixelErrors:
    if not len(errors_mm):
        return PixelErrors(0, float("nan"), float("nan"), float("nan"))
    return PixelErrors(len(errors_mm), float(errors_mm.mean()), float(np.median(errors_mm)), float(errors_mm.std()))
