"""Small datasets on disk, written by the project's own writers: a few frames each, the real layouts.

Depth and joints are random but possible: every joint projects into the image, depth is whole millimetres.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import DEXTER, HANDOBJECT, HANDS, ICVL, MSRA, NYU, WRISTBAND, Convention
from handbench.datasets import dexter, handobject, hands, icvl, msra, msra14, nyu, rendered_files, wristband


def make_joints(convention: Convention, frames: int, seed: int = 0) -> Float32[np.ndarray, "frames joints 3"]:
    """Joints within 80 mm of a point in front of the camera."""
    rng = np.random.default_rng(seed)
    distance_mm = 750.0 if convention is NYU else 400.0
    spread = rng.uniform(-80, 80, (frames, len(convention.joints.names), 3))
    return (spread + np.array([10.0, -20.0, distance_mm])).astype(np.float32)


def make_depth(convention: Convention, seed: int = 0) -> Float32[np.ndarray, "height width"]:
    """A block of measured pixels with holes; 0 elsewhere."""
    rng = np.random.default_rng(seed)
    camera = convention.camera
    depth_mm = np.zeros((camera.height, camera.width), np.float32)
    block_mm = rng.integers(300, 1200, (100, 120)).astype(np.float32)
    block_mm[rng.random(block_mm.shape) < 0.1] = 0
    block_mm[[0, -1], 5] = block_mm[5, [0, -1]] = 500  # so that the block's box is known
    depth_mm[60:160, 90:210] = block_mm
    return depth_mm


def size_palm(joints_mm: Float32[np.ndarray, "frames joints 3"], length_mm: float) -> None:
    """Put PALM_1 at `length_mm` from PALM_3: what tells NYU's two test subjects apart."""
    joints_mm[:, 30] = joints_mm[:, 32] + np.array([0, length_mm, 0], np.float32)


def write_nyu(root: Path, *, train: int = 3, test: tuple[int, int] = (2, 2)) -> Path:
    for split, frames in (("train", train), ("test", sum(test))):
        folder = root / split
        folder.mkdir(parents=True)
        joints_mm = make_joints(NYU, frames)
        size_palm(joints_mm[: test[0] if split == "test" else None], 81.3)
        size_palm(joints_mm[test[0] if split == "test" else frames :], 70.6)
        nyu.write_joint_data(folder / "joint_data.mat", joints_mm)
        for row in range(frames):
            nyu.write_depth(folder / nyu.depth_name(row), make_depth(NYU, row))
    return root


def write_icvl(root: Path) -> Path:
    """Two sessions with one rotation, gaps and a 5-digit number; three and two test frames."""
    train = [icvl.image_name("201403121135", n) for n in (3, 7, 14080)]
    train += [f"22-5/{name}" for name in train] + [icvl.image_name("201403121140", 1)]
    tests = [[icvl.image_name(f"test_seq_{k}", n) for n in range(frames)] for k, frames in ((1, 3), (2, 2))]
    for base, names in (("Training", train), ("Testing", tests[0]), ("Testing", tests[1])):
        for row, name in enumerate(names):
            path = root / base / "Depth" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            icvl.write_depth(path, make_depth(ICVL, row))
    icvl.write_labels(root / "Training/labels.txt", train, make_joints(ICVL, len(train)))
    for k, names in enumerate(tests, 1):
        path = root / f"Testing/test_seq_{k}.txt"
        icvl.write_labels(path, names, make_joints(ICVL, len(names), seed=k), line_end=icvl.TEST_LINE_END)
    return root


def write_msra(root: Path, sequences: tuple[str, ...] = ("P0/1", "P0/TIP", "P1/I"), frames: int = 3) -> Path:
    for seed, sequence in enumerate(sequences):
        folder = root / sequence
        folder.mkdir(parents=True)
        msra.write_labels(folder / "joint.txt", make_joints(MSRA, frames, seed))
        for row in range(frames):
            msra.write_depth(folder / msra.depth_name(row), make_depth(MSRA, row))
            (folder / f"{row:06d}_depth.jpg").write_bytes(b"only for viewing")
    return root


def write_msra14(root: Path, subjects: tuple[str, ...] = ("Subject1", "Subject2"), frames: int = 3) -> Path:
    for seed, subject in enumerate(subjects):
        folder = root / subject
        folder.mkdir(parents=True)
        msra14.write_labels(folder / "joint.txt", make_joints(MSRA, frames, seed))
        for row in range(frames):
            msra14.write_depth(folder / msra14.depth_name(row), make_depth(MSRA, row))
    return root


def write_dexter(
    root: Path, sequences: tuple[str, ...] = ("Grasp1", "Rotate"), frames: int = 3, folder: str = "data"
) -> Path:
    """The second frame of each sequence lacks its thumb tip."""
    for seed, sequence in enumerate(sequences):
        home = root / folder / sequence
        for kind in ("color", "depth", "annotations"):
            (home / kind).mkdir(parents=True)
        joints_mm = make_joints(DEXTER, frames, seed)
        joints_mm[1, 0] = np.nan
        dexter.write_annotations(home, sequence, joints_mm)
        for row in range(frames):
            dexter.write_depth(home / "depth" / dexter.depth_name(row), make_depth(DEXTER, row))
    return root


def write_wristband(root: Path, frames: int = 3, *, labelled: bool = True) -> Path:
    """Both folders; a recording of one's own has no labels."""
    names = [wristband.depth_name(row) for row in range(frames)]
    for split in WRISTBAND.splits:
        (root / split).mkdir(parents=True)
        for row, name in enumerate(names):
            wristband.write_depth(root / split / name, make_depth(WRISTBAND, row))
    wristband.write_intrinsics(root / wristband.INTRINSICS, WRISTBAND.camera)
    if labelled:
        wristband.write_labels(root / "test" / wristband.LABELS, names, make_joints(WRISTBAND, frames))
    return root


def write_handobject(root: Path, semi: int = 2, full: int = 2) -> Path:
    """All sets, each with a few frames of both kinds."""
    for seed, split in enumerate(HANDOBJECT.splits):
        names = [
            rendered_files.depth_name(kind, row) for kind, n in (("semi", semi), ("full", full)) for row in range(n)
        ]
        for row, name in enumerate(names):
            path = root / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            handobject.FILES.write_depth(path, make_depth(HANDOBJECT, row))
        subjects = ["msra-P3"] * semi + ["user_1"] * full
        labels_mm = make_joints(HANDOBJECT, len(names), seed)
        rendered_files.write_labels(root / split / rendered_files.LABELS, names, subjects, labels_mm)
    return root


def write_hands(root: Path, frames: int = 3) -> Path:
    """The one set of hands alone."""
    folder = root / HANDS.splits[0]
    names = [rendered_files.depth_name(hands.SEQUENCE, row) for row in range(frames)]
    for row, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        hands.FILES.write_depth(folder / name, make_depth(HANDS, row))
    labels_mm = make_joints(HANDS, frames, 0)
    rendered_files.write_labels(folder / rendered_files.LABELS, names, ["reference"] * frames, labels_mm)
    return root
