"""Crop and normalise: a decoded frame to a patch in [-1, 1]."""

import numpy as np

from benchmarks.frames import CAMERA, CUBE_MM, DecodedFrame, decoded_frames
from benchmarks.harness import Race, make_race, require_share
from benchmarks.recipes import crop_as_a2j, crop_as_deepprior, crop_as_pixelwise
from benchmarks.rows import Row
from handbench.geometry.crop import crop_cube

A2J_SIDEWAYS_MM, A2J_AHEAD_MM, A2J_SIZE = 110.0, 150.0, 176


def race_deepprior() -> Race:
    frames = decoded_frames()
    cleared = [DecodedFrame(frame.depth_mm.copy(), frame.centre_mm) for frame in frames]

    def crop_ours() -> list[np.ndarray]:
        return [crop_cube(f.depth_mm, f.centre_mm, CUBE_MM, CAMERA, sampling="corner")[0] for f in frames]

    def crop_theirs() -> list[np.ndarray]:
        return [crop_as_deepprior(f.depth_mm, f.centre_mm, CUBE_MM, CAMERA) for f in cleared]

    def check() -> None:
        for ours, theirs in zip(crop_ours(), crop_theirs(), strict=True):
            require_share(np.abs(ours - theirs) <= 1e-5, 0.999, "the patches")

    return make_race(crop_ours, crop_theirs, len(frames), check)


def race_a2j() -> Race:
    frames = decoded_frames()

    def crop_ours() -> list[np.ndarray]:
        return [
            crop_cube(
                f.depth_mm,
                f.centre_mm,
                2 * A2J_SIDEWAYS_MM,
                CAMERA,
                size_px=A2J_SIZE,
                rounding="floor",
                sampling="corner",
            )[0]
            for f in frames
        ]

    def crop_theirs() -> list[np.ndarray]:
        return [crop_as_a2j(f.depth_mm, f.centre_mm, A2J_SIDEWAYS_MM, A2J_AHEAD_MM, CAMERA) for f in frames]

    def check() -> None:
        for ours, theirs in zip(crop_ours(), crop_theirs(), strict=True):
            # Its range is deeper than it is wide, and what is out of range is 0 and not +1: compare what both keep.
            kept = np.abs(ours) < 0.999
            # Its window is whole pixels another way, so a sample may be the neighbouring pixel.
            require_share(np.abs(ours - theirs / A2J_SIDEWAYS_MM)[kept] <= 0.05, 0.9, "the depths inside the cube")

    return make_race(crop_ours, crop_theirs, len(frames), check)


def race_pixelwise() -> Race:
    frames = decoded_frames()

    def crop_ours() -> list[np.ndarray]:
        return [crop_cube(f.depth_mm, f.centre_mm, CUBE_MM, CAMERA)[0] for f in frames]

    def crop_theirs() -> list[np.ndarray]:
        return [crop_as_pixelwise(f.depth_mm, f.centre_mm, CUBE_MM, CAMERA) for f in frames]

    def check() -> None:
        for ours, theirs in zip(crop_ours(), crop_theirs(), strict=True):
            # It interpolates, so contours and slopes differ; the surface between them must not.
            kept = (np.abs(ours) < 0.999) & (theirs != 0)
            require_share(np.abs(ours - theirs)[kept] <= 0.05, 0.9, "the depths inside the cube")

    return make_race(crop_ours, crop_theirs, len(frames), check)


ROWS = (
    Row("crop-deepprior", "crop and normalise, 640x480 to 128x128", "DeepPrior++ recipe", race_deepprior, 10.0, 15.0),
    Row("crop-a2j", "crop and normalise, 640x480 to 176x176", "A2J recipe", race_a2j, 2.0, 3.0),
    Row("crop-pixelwise", "crop and normalise, 640x480 to 128x128", "PixelwiseRegression", race_pixelwise, 4.0, 6.0),
)
