"""Made-up pictures of a module: a square hand before nothing, and poses around its middle."""

import numpy as np
from jaxtyping import Float32

from handbench.datasets.scored_skeleton import find_tip, scored_skeleton
from handbench.training.picture_file import LEVELS, Pictures, UpdatePictures

SIZE_PX = 16
OF_TRUTH = ("truth", "fingers swapped", "fingers flipped", "wrist flipped")
OF_LOOP = ("0", "1", "2")
OF_SEARCH = ("0", "1", "2", "60")
BY_START = ("10 %", "50 %", "90 %", *["even"] * 7)


def make_pictures(module: str, dataset: str) -> Pictures:
    """The kind that the module's name tells; those that start from a predictor are of the same frames."""
    if "synthesizer" in module:
        return assemble(dataset, OF_TRUTH if dataset == "nyu" else OF_TRUTH[:3], ("even",) * 8)
    steps = OF_SEARCH if module.endswith(("_lbfgsb", "_pso")) and "beside" not in module else OF_LOOP
    return assemble(dataset, steps, BY_START)


def assemble(dataset: str, steps: tuple[str, ...], chosen: tuple[str, ...]) -> Pictures:
    frames, joints = len(chosen), len(scored_skeleton(dataset).names)
    rng = np.random.default_rng(frames)
    camera = np.full((frames, SIZE_PX, SIZE_PX), LEVELS, np.uint8)
    camera[:, 4:-4, 4:-4] = rng.integers(60, 180, (frames, SIZE_PX - 8, SIZE_PX - 8))
    drawn = np.stack([np.roll(camera, step, axis=2) for step in range(len(steps))], axis=1)
    truth_px = rng.uniform(3, 12, (frames, joints, 3)).astype(np.float32)
    errors_mm = np.arange(frames * len(steps), dtype=np.float32).reshape(frames, len(steps))
    return Pictures(
        rows=7 * np.arange(frames),
        chosen=chosen,
        steps=steps,
        camera=camera,
        drawn=drawn,
        truth_px=truth_px,
        poses_px=np.stack([truth_px + step for step in range(len(steps))], axis=1).astype(np.float32),
        pose_mm=errors_mm,
        hand_mm=errors_mm + 0.25,
        image_mm=errors_mm + 0.5,
        cube_mm=np.full(frames, 300, np.float32),
        updates=make_updates(dataset, truth_px) if steps == OF_LOOP else None,
    )


def make_updates(dataset: str, truth_px: Float32[np.ndarray, "frames joints 3"]) -> UpdatePictures:
    """Of eight updates of three frames the last goes on by half, the others come back by as much."""
    joints = scored_skeleton(dataset)
    tip = find_tip(joints, "index")
    turns = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    around = np.stack([np.cos(turns), np.sin(turns), np.zeros(8)], axis=1)
    shares = np.array([0.5] * 7 + [1.5])
    starts_px, ends_px = (
        (truth_px[:3, None, tip] + 3 * share * around).astype(np.float32) for share in (1, shares[:, None])
    )
    before_mm = np.full((3, 8), 20, np.float32)
    after_mm = (before_mm * shares).astype(np.float32)
    return UpdatePictures(joints.names[tip], 20.0, np.arange(3), starts_px, ends_px, before_mm, after_mm)
