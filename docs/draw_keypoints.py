"""Draw docs/images/keypoints.png: where each dataset puts its joints on the one hand.

python docs/draw_keypoints.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from handbench.conventions import DATASETS, FINGERS, NYU_SCORED, Camera
from handbench.geometry.camera import project_points
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, neutral_pose
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers

CAMERA = Camera(1500.0, 1500.0, 235.0, 265.0, 500, 450)
SPREAD_DEG = (0.0, 8.0, 1.0, -5.0, -12.0)
COLOURS = dict(zip((*FINGERS, "palm"), ("#d1495b", "#edae49", "#f5e663", "#66a5d9", "#c77dca", "white"), strict=True))


def draw() -> None:
    pose = neutral_pose()
    pose[:3] = (0.0, 95.0, 900.0)
    for finger, degrees in zip(FINGERS, SPREAD_DEG, strict=True):
        pose[DOFS.index(f"{finger}_abduction")] = np.radians(degrees)
    depth_mm, _ = render_layers([pose_mesh(make_skin(REFERENCE_SHAPE, 3.0), REFERENCE_SHAPE, pose)], CAMERA)
    figure, axes = plt.subplots(1, 4, figsize=(16, 4.2), layout="constrained")
    for axis, name in zip(axes, ("nyu", "icvl", "msra", "dexter"), strict=True):
        _draw_hand(axis, depth_mm)
        convention = DATASETS[name]
        joints = convention.joints
        uvd = project_points(keypoint_positions(KEYPOINTS[name], REFERENCE_SHAPE, pose), CAMERA)
        for start, end in joints.edges:
            if max(start, end) < len(uvd):
                axis.plot(uvd[[start, end], 0], uvd[[start, end], 1], color="black", linewidth=1.0, alpha=0.5)
        for index, (u, v, _) in enumerate(uvd):
            scored = name != "nyu" or index in NYU_SCORED
            axis.plot(
                u, v, "o", color=COLOURS[joints.parts[index]], markeredgecolor="black", markersize=9 if scored else 5
            )
            axis.annotate(str(index), (u, v), (5, 3), textcoords="offset points", fontsize=7)
        title = f"{convention.title}: {len(uvd)} joints" + (", the 14 scored larger" if name == "nyu" else "")
        axis.set_title(title, fontsize=11)
    figure.savefig(Path(__file__).parent / "images" / "keypoints.png", dpi=110, metadata={"Software": None})


def _draw_hand(axis: plt.Axes, depth_mm: np.ndarray) -> None:
    filled = np.where(depth_mm > 0, depth_mm, np.nan)
    slope_y, slope_x = np.gradient(filled)
    light = 0.82 - 0.25 * np.tanh(0.6 * (slope_x + slope_y))
    axis.imshow(np.ma.masked_invalid(light), cmap="gray", vmin=0.2, vmax=1.1)
    axis.axis("off")


if __name__ == "__main__":
    draw()
