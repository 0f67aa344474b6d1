"""Readers of labels: each dataset's own texts and .mat, read by the importer of the whole set."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import scipy.io

from handbench.conventions import DEXTER, HANDS, ICVL, MSRA, WRISTBAND, Camera
from handbench.datasets import dexter, hands, icvl, msra, msra14, nyu, wristband
from handbench.datasets.listing import Listing
from handbench.datasets.own_frames import parse_intrinsics
from tests.datasets import miniature
from tests.mutation.damage import TEXT
from tests.mutation.reader import Reader

FRAMES = 3
UP = np.array([1, -1, 1])
MSRA_SIGNS = np.array([1, -1, -1])


def _tell(listing: Listing) -> dict[str, Any]:
    return {"joints_mm": listing.joints_mm, "names": listing.names, "subjects": listing.subjects}


def _lines(path: Path) -> list[str]:
    """Of a text as an editor shows it, less a mark of byte order in front."""
    text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    assert "\0" not in text, "no text"
    return [line for line in text.split("\n") if line.strip()]


def _numbers(words: list[str], count: int) -> list[float]:
    assert len(words) == count, f"{len(words)} numbers"
    assert not any("_" in word or not word.isascii() for word in words), "1_0"
    numbers = [float(word) for word in words]
    assert np.isfinite(numbers).all(), "not finite"
    return numbers


def _back_project(uvd: np.ndarray, camera: Camera) -> np.ndarray:
    u, v, z = np.moveaxis(uvd, -1, 0)
    return np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], axis=-1)


def write_nyu(folder: Path, *, compressed: bool = True) -> None:
    miniature.write_nyu(folder, train=1, test=(2, 1))
    if not compressed:
        path = folder / "test/joint_data.mat"
        arrays = scipy.io.loadmat(path)
        scipy.io.savemat(path, {name: arrays[name] for name in ("joint_uvd", "joint_xyz")})


def say_nyu(folder: Path) -> dict[str, Any]:
    arrays = scipy.io.loadmat(folder / "test/joint_data.mat")
    joints_mm = arrays["joint_xyz"][0] * UP
    names = tuple(f"test/depth_1_{row + 1:07d}.png" for row in range(len(joints_mm)))
    palms_mm = np.linalg.norm(joints_mm[:, 32] - joints_mm[:, 30], axis=1)
    subjects = tuple("test_2" if palm_mm < nyu.SMALL_HAND_BELOW_MM else "test_1" for palm_mm in palms_mm)
    return {"joints_mm": joints_mm, "names": names, "subjects": subjects}


def _say_icvl(paths: list[Path]) -> dict[str, Any]:
    names, rows = [], []
    for line in (line for path in paths for line in _lines(path)):
        name, *words = line.split()
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if len(parts) == 2:
            names.append("/".join(parts))
            rows.append(_numbers(words, 48))
    joints_mm = _back_project(np.array(rows).reshape(-1, 16, 3), ICVL.camera)
    return {"joints_mm": joints_mm, "names": tuple(names), "subjects": ("",) * len(names)}


def _read_icvl(split: str) -> Any:
    return lambda folder: _tell(icvl.list_frames(folder, split)) | {"subjects": ()}


def _say_joint_text(path: Path) -> np.ndarray:
    lines = _lines(path)
    rows = lines if len(lines[0].split()) == 63 else lines[1:]
    return np.array([_numbers(line.split(), 63) for line in rows]).reshape(-1, 21, 3) * MSRA_SIGNS


def say_msra(folder: Path) -> dict[str, Any]:
    parts = {name: _say_joint_text(folder / name / "joint.txt") for name in ("P0/1", "P0/TIP", "P1/I")}
    assert all(len(_lines(folder / name / "joint.txt")[0].split()) == 1 for name in parts), "no count"
    return {
        "joints_mm": np.concatenate(list(parts.values())),
        "names": tuple(f"{name}/{row:06d}_depth.bin" for name, joints in parts.items() for row in range(len(joints))),
        "subjects": tuple(name[:2] for name, joints in parts.items() for _ in joints),
    }


def say_msra14(folder: Path) -> dict[str, Any]:
    parts = {name: _say_joint_text(folder / name / "joint.txt") for name in ("Subject1", "Subject2")}
    return {
        "joints_mm": np.concatenate(list(parts.values())),
        "names": tuple(f"{name}/{row:06d}_depth.bin" for name, joints in parts.items() for row in range(len(joints))),
        "subjects": tuple(name for name, joints in parts.items() for _ in joints),
    }


def write_spheres(folder: Path) -> None:
    spheres = np.random.default_rng(0).uniform(1, 400, (FRAMES, 48, 5)).astype(np.float32)
    msra14.write_spheres(folder / "sphere.txt", spheres)


def say_spheres(folder: Path) -> np.ndarray:
    spheres = np.array([_numbers(line.split(), 240) for line in _lines(folder / "sphere.txt")[1:]]).reshape(-1, 48, 5)
    spheres[..., 1:4] *= MSRA_SIGNS
    return spheres


def _entries(path: Path, dimensions: int) -> np.ndarray:
    """Entries of a line are parted by `;`, their numbers by `,` or spaces."""
    frames = [[point for point in line.split(";") if point.strip()] for line in _lines(path)]
    rows = [[_numbers(re.split(r"[\s,]+", point.strip(" ,\r\t")), dimensions) for point in frame] for frame in frames]
    assert len({len(row) for row in rows}) == 1, "lines of different lengths"
    return np.array(rows)


def say_dexter(folder: Path) -> dict[str, Any]:
    """Of the signs only those that the specimen was written with are known here."""
    joints = []
    for name in ("Grasp1", "Rotate"):
        places = [folder / f"data/{name}/annotations/{name}{kind}.txt" for kind in ("3D", "2D")]
        xyz, uv = _entries(places[0], 3), _entries(places[1], 2)
        assert xyz.shape[:2] == uv.shape[:2], "files of different sets"
        missing = (np.abs(xyz[..., 2]) == 32001) | (xyz[..., 2] == 0)
        xyz = xyz * np.array([-1, -1, 1])
        xyz[missing] = np.nan
        whole = np.full((len(xyz), 8, 3), np.nan)
        whole[:, : min(8, xyz.shape[1])] = xyz[:, :8]
        joints.append(whole)
    names = tuple(f"{name}/depth/{dexter.depth_name(row)}" for name in ("Grasp1", "Rotate") for row in range(FRAMES))
    return {"joints_mm": np.concatenate(joints), "names": names, "subjects": ("",) * len(names)}


def write_revised(folder: Path) -> None:
    points_mm = miniature.make_joints(HANDS, FRAMES)
    points_mm = np.concatenate([points_mm, points_mm[:, :3] + 5], axis=1).astype(np.float64)
    camera = DEXTER.camera
    uvd = points_mm.copy()
    uvd[..., 0] = points_mm[..., 0] / points_mm[..., 2] * camera.fx + camera.cx
    uvd[..., 1] = points_mm[..., 1] / points_mm[..., 2] * camera.fy + camera.cy
    lines = [" ".join(f"{number:.3f}" for number in frame.ravel()) for frame in uvd]
    (folder / "Grasp1.txt").write_text("\n".join(lines) + "\n")


def say_revised(folder: Path) -> np.ndarray:
    rows = [re.split(r"[\s,;]+", line.strip(" ,;\r\t\n")) for line in _lines(folder / "Grasp1.txt")]
    assert all(len(row) == 72 and "_" not in "".join(row) for row in rows), "other numbers"
    assert all("".join(row).isascii() for row in rows), "digits of another script"
    uvd = np.array([[float(word) for word in row] for row in rows]).reshape(-1, 24, 3)
    missing = (np.abs(uvd[..., 2]) == 32001) | (uvd[..., 2] == 0) | np.isnan(uvd).any(axis=2)
    with np.errstate(all="ignore"):
        points_mm = _back_project(uvd, DEXTER.camera)
    points_mm[missing] = np.nan
    return points_mm


def say_hands(folder: Path) -> dict[str, Any]:
    words = [line.split() for line in _lines(folder / HANDS.splits[0] / "labels.txt")]
    joints_mm = np.array([_numbers(row[2:], 63) for row in words]).reshape(-1, 21, 3)
    return {
        "joints_mm": joints_mm,
        "names": tuple(row[0] for row in words),
        "subjects": tuple(row[1] for row in words),
    }


def say_wristband(folder: Path) -> dict[str, Any]:
    """Labels are of frames by name; their order is the names'."""
    path = folder / "test/labels.txt"
    names = tuple(f"{row:06d}.png" for row in range(FRAMES))
    known = {line.split()[0]: _numbers(line.split()[1:], 63) for line in _lines(path)} if path.is_file() else {}
    nothing = [float("nan")] * 63
    joints_mm = np.array([known.get(name, nothing) for name in names]).reshape(-1, 21, 3)
    words = [word for line in _lines(folder / "intrinsics.txt") for word in line.split()]
    return {"joints_mm": joints_mm, "names": names, "subjects": (), "camera": _say_camera(words)}


def _say_camera(words: list[str]) -> list[float]:
    if len(words) == 1:  # a dataset's name
        known = parse_intrinsics(words)
        return [known.fx, known.fy, known.cx, known.cy]
    return _numbers(words, 4)


def read_wristband(folder: Path) -> dict[str, Any]:
    listing = wristband.list_frames(folder, "test")
    camera = listing.convention.camera
    told = [float(number) for number in (camera.fx, camera.fy, camera.cx, camera.cy)]
    return _tell(listing) | {"subjects": (), "camera": told}


def _show(dataset: str, split: str) -> Any:
    return lambda folder: ["show", dataset, "--root", str(folder), "--split", split, "--out", "sheet.png"]


LABEL_READERS = (
    Reader(
        "NYU labels, compressed .mat",
        write_nyu,
        ("test/joint_data.mat",),
        lambda folder: _tell(nyu.list_frames(folder, "test")),
        says=say_nyu,
        command=_show("nyu", "test"),
    ),
    Reader(
        "NYU labels, plain .mat",
        lambda folder: write_nyu(folder, compressed=False),
        ("test/joint_data.mat",),
        lambda folder: _tell(nyu.list_frames(folder, "test")),
        says=say_nyu,
        command=_show("nyu", "test"),
    ),
    Reader(
        "ICVL test labels",
        miniature.write_icvl,
        ("Testing/test_seq_1.txt", "Testing/test_seq_2.txt"),
        _read_icvl("test"),
        TEXT,
        lambda folder: _say_icvl([folder / f"Testing/test_seq_{k}.txt" for k in (1, 2)]) | {"subjects": ()},
        command=_show("icvl", "test"),
    ),
    Reader(
        "ICVL training labels",
        miniature.write_icvl,
        ("Training/labels.txt",),
        _read_icvl("train"),
        TEXT,
        lambda folder: _say_icvl([folder / "Training/labels.txt"]) | {"subjects": ()},
        command=_show("icvl", "train"),
    ),
    Reader(
        "MSRA15 joint.txt",
        miniature.write_msra,
        ("P0/1/joint.txt", "P1/I/joint.txt"),
        lambda folder: _tell(msra.list_frames(folder, "all")),
        TEXT,
        say_msra,
        command=_show(MSRA.name, "all"),
    ),
    Reader(
        "MSRA14 joint.txt",
        miniature.write_msra14,
        ("Subject1/joint.txt",),
        lambda folder: _tell(msra14.list_frames(folder, "all")),
        TEXT,
        say_msra14,
        command=_show("msra14", "all"),
    ),
    Reader(
        "MSRA14 sphere.txt",
        write_spheres,
        ("sphere.txt",),
        lambda folder: msra14.read_spheres(folder / "sphere.txt"),
        TEXT,
        say_spheres,
    ),
    Reader(
        "Dexter annotations",
        miniature.write_dexter,
        ("data/Grasp1/annotations/Grasp13D.txt", "data/Rotate/annotations/Rotate2D.txt"),
        lambda folder: _tell(dexter.list_frames(folder, "test")) | {"subjects": ("",) * 6},
        TEXT,
        say_dexter,
        command=_show("dexter", "test"),
    ),
    Reader(
        "Dexter annotations, revised",
        write_revised,
        ("Grasp1.txt",),
        lambda folder: dexter.read_revised(folder / "Grasp1.txt"),
        TEXT,
        say_revised,
    ),
    Reader(
        "rendered labels",
        miniature.write_hands,
        (f"{HANDS.splits[0]}/labels.txt",),
        lambda folder: _tell(hands.FILES.list_frames(folder, HANDS.splits[0])),
        TEXT,
        say_hands,
    ),
    Reader(
        "own recording: labels, camera",
        miniature.write_wristband,
        ("test/labels.txt", "intrinsics.txt"),
        read_wristband,
        TEXT,
        say_wristband,
        command=_show(WRISTBAND.name, "test"),
    ),
)
