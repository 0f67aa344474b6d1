"""The box around an object as a wireframe over a picture, and marks at labelled points."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from handbench.geometry.box import BOX_EDGES
from handbench.report.skeleton import CASING, PART_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OBJECT = "object"
HIDDEN = (0, (2.2, 1.8))
"""The edges that meet in the farthest corner are dashed: a bare wireframe may be seen from either side."""
MARK = "#ffffff"


def list_edges(pixels: Float[np.ndarray, "8 3"]) -> list[tuple[int, int, bool]]:
    """Two corners and whether the edge is at the back, the far ones first; none of a box that is not in front."""
    if not np.isfinite(pixels).all():
        return []
    farthest = int(pixels[:, 2].argmax())
    ordered = sorted(BOX_EDGES, key=lambda edge: -pixels[list(edge), 2].sum())
    return [(a, b, farthest in (a, b)) for a, b in ordered]


def draw_wireframe(axes: "Axes", pixels: Float[np.ndarray, "8 3"], size_px: int) -> None:
    """Corners at (column, row, depth), in the order of `geometry.box`."""
    thickness = min(max(size_px / 165, 1.2), 3.2)
    for order, (a, b, hidden) in enumerate(list_edges(pixels)):
        ends = pixels[[a, b]]
        core = thickness * (0.6 if hidden else 0.9)
        for width, colour in ((core + 1.4, CASING), (core, PART_COLOURS[OBJECT])):
            style = HIDDEN if hidden and colour != CASING else "-"
            alpha = 0.45 if hidden and colour == CASING else 1.0
            axes.plot(
                ends[:, 0],
                ends[:, 1],
                color=colour,
                linewidth=width,
                linestyle=style,
                alpha=alpha,
                solid_capstyle="round",
                zorder=2.2 + order / 100,
            )


def mark_labels(axes: "Axes", pixels: Float[np.ndarray, "points 3"], size_px: int) -> None:
    """Hollow diamonds; a point without a label is left out."""
    known = pixels[np.isfinite(pixels).all(axis=-1)]
    edge = min(max(size_px / 48, 3.2), 9.0)
    for width, colour in ((1.7, CASING), (0.8, MARK)):
        axes.scatter(
            known[:, 0],
            known[:, 1],
            s=edge**2,
            marker="D",
            facecolors="none",
            edgecolors=colour,
            linewidths=width,
            zorder=5,
        )
