"""Joints and bones over a picture, one colour a finger, legible on any depth colour."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from handbench.conventions import JointSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PART_COLOURS = {
    "palm": "#ffffff",
    "thumb": "#ff5a3c",
    "index": "#ffb21a",
    "middle": "#fff3a3",
    "ring": "#9fc4ff",
    "little": "#ff86c8",
    "object": "#b58cff",
}
"""Told apart with any of the common colour blindnesses: they differ in lightness as well as in hue."""
CASING = "#10131a"


def draw_skeleton(axes: "Axes", pixels: Float[np.ndarray, "joints 3"], joints: JointSet, size_px: int) -> None:
    """Bones and joints at (column, row, depth), the far ones first; a joint that is not a number is left out."""
    thickness = min(max(size_px / 165, 1.5), 4.0)
    bones = [(a, b) for a, b in joints.edges if np.isfinite(pixels[[a, b]]).all()]
    for order, (a, b) in enumerate(sorted(bones, key=lambda bone: -pixels[list(bone), 2].sum())):
        part = joints.parts[a] if joints.parts[a] != "palm" else joints.parts[b]
        ends, core = pixels[[a, b]], thickness * (0.6 if part == "palm" else 1.0)
        for width, colour in ((core + 1.8, CASING), (core, PART_COLOURS[part])):
            axes.plot(
                ends[:, 0], ends[:, 1], color=colour, linewidth=width, solid_capstyle="round", zorder=2 + order / 100
            )
    seen = np.flatnonzero(np.isfinite(pixels).all(axis=-1))
    on_bone = {joint for edge in joints.edges for joint in edge}
    axes.scatter(
        pixels[seen, 0],
        pixels[seen, 1],
        # A joint without a bone, as Dexter+Object's fingertips, has to be seen on its own.
        s=[((2.0 if joint in on_bone else 3.6) * thickness) ** 2 for joint in seen],
        c=[PART_COLOURS[joints.parts[joint]] for joint in seen],
        edgecolors=CASING,
        linewidths=0.8,
        zorder=4,
    )
