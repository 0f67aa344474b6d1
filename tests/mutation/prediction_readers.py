"""Readers of predictions: anyone's text, CSV, .npy and .npz beside labels, and the pipeline's own."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import DATASETS
from handbench.datasets.files import digest_file
from handbench.errors import BadInput
from handbench.evaluation.predictions import Predictions, read_ground_truth, read_predictions
from handbench.geometry.camera import back_project_points
from handbench.sealed import SEAL, seal
from handbench.training import prediction_file
from tests.evaluation.record_fixtures import as_uvd, make_joints, write_text
from tests.mutation.damage import TEXT
from tests.mutation.reader import Reader
from tests.mutation.structures import JSON, NPY, NPZ, change_json, change_npz, npz_bomb

FRAMES = 24
NAMES = [f"test/depth_1_{row + 1:07d}.png" for row in range(FRAMES)]
LABELS = "nyu_test_groundtruth_label.txt"
STRAYED_MM = np.random.default_rng(5).normal(0, 4, (FRAMES, 14, 3))
CAMERA = DATASETS["nyu"].camera


def _write_labels(folder: Path) -> None:
    write_text(folder / LABELS, as_uvd(make_joints(frames=FRAMES)), end=" \n")
    (folder / "nyu_test_list.txt").write_text("\n".join(NAMES) + "\n")


def _predicted() -> np.ndarray:
    return make_joints(frames=FRAMES) + STRAYED_MM


def write_plain(folder: Path) -> None:
    _write_labels(folder)
    write_text(folder / "mine.txt", as_uvd(_predicted()))


def write_named(folder: Path) -> None:
    _write_labels(folder)
    write_text(folder / "mine.csv", _predicted(), separator=",", names=NAMES)


def write_array(folder: Path) -> None:
    _write_labels(folder)
    np.save(folder / "mine.npy", _predicted().astype(np.float32))


def write_arrays(folder: Path) -> None:
    _write_labels(folder)
    np.savez(folder / "mine.npz", joints_mm=_predicted().astype(np.float32), names=np.array(NAMES))


def _read(name: str) -> Any:
    def read(folder: Path) -> dict[str, Any]:
        names = (folder / "nyu_test_list.txt").read_text().split()
        truth = read_ground_truth(folder / LABELS, "nyu", names=names)
        found: Predictions = read_predictions(folder / name, truth)
        return {"joints_mm": found.joints_mm, "rows": found.rows, "truth_mm": truth.joints_mm}

    return read


def _rows(path: Path) -> tuple[list[str], np.ndarray]:
    """Names, where the first field of a line is none of its numbers, and the numbers."""
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b'"', b" ")
    content = content if b"\n" in content else content.replace(b"\r", b"\n")
    fields = [re.split(rb"[\s,;\x00-\x20]+", line.strip(b",;" + bytes(range(33)))) for line in content.split(b"\n")]
    lines = [line for line in fields if line != [b""]]
    while lines and (lines[0][0].startswith(b"#") or not any(_is_number(word) for word in lines[0])):
        del lines[0]
    named = not _is_number(lines[0][0])
    names = [line[0].decode("utf-8", "replace").replace("\\", "/") for line in lines] if named else []
    rows = np.array([[_to_number(word) for word in line[named:]] for line in lines])
    return names, rows.reshape(len(rows), -1, 3)


def _to_number(word: bytes) -> float:
    assert b"_" not in word, "1_0"
    return float(word)


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _say(name: str) -> Any:
    """Pixels or millimetres, whichever lies nearer the labels; rows by name, in the order of the list."""

    def say(folder: Path) -> dict[str, Any]:
        labels = _rows(folder / LABELS)[1]
        unknown = (np.isnan(labels) | (labels == 32001)).any(axis=2)
        truth_mm = back_project_points(labels, CAMERA)
        truth_mm[unknown] = np.nan
        names, numbers = _table(folder / name)
        rows = np.array([NAMES.index(one) for one in names] if names else range(FRAMES))
        assert sorted(rows) == list(range(FRAMES)) if not names else len(set(rows)) == len(rows), "other frames"
        assert (np.abs(numbers) <= 1e7).all(), "impossible numbers"
        order = np.argsort(rows)
        rows, numbers = rows[order], numbers[order].astype(np.float64)
        readings = [back_project_points(numbers, CAMERA), numbers]
        off = [np.nanmedian(np.linalg.norm(one - truth_mm[rows], axis=2)) for one in readings]
        return {"joints_mm": readings[int(np.argmin(off))], "rows": rows, "truth_mm": truth_mm}

    return say


def _table(path: Path) -> tuple[list[str], np.ndarray]:
    if path.suffix == ".npy":
        array = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        assert array.dtype.kind in "fiu", str(array.dtype)
        return [], array.reshape(len(array), -1, 3)
    if path.suffix == ".npz":
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            known = [name for name in ("joints_mm", "predictions", "joints", "xyz", "uvd", "arr_0") if name in held]
            array = held[known[0]] if known else held[held.files[0]]
            names = [str(name) for name in held["names"].ravel()] if "names" in held else []
        assert array.dtype.kind in "fiu", str(array.dtype)
        return names, array.reshape(len(array), -1, 3)
    return _rows(path)


def write_own(folder: Path) -> None:
    """Everything that a method may give: angles, sizes, turns of bones, corners, each iteration."""
    random = np.random.default_rng(3)
    few, steps = 5, 2
    prediction_file.save_predictions(
        folder,
        random.normal(0, 40, (few, 5, 3)).astype(np.float32),
        tuple(f"a_{row}.png" for row in range(few)),
        np.arange(few),
        {"dataset": "dexter", "gives_object": True, "joints": ["a", "b", "c", "d", "e"]},
        before_mm=random.normal(0, 40, (steps, few, 5, 3)).astype(np.float32),
        pose=random.normal(0, 1, (few, 26)).astype(np.float32),
        hand_scale=random.uniform(0.9, 1.1, few).astype(np.float32),
        corners=random.normal(0, 40, (few, 8, 3)).astype(np.float32),
        corners_before=random.normal(0, 40, (steps, few, 8, 3)).astype(np.float32),
        quaternions=random.normal(0, 1, (few, 16, 4)).astype(np.float32),
    )


def read_own(folder: Path) -> dict[str, Any]:
    path = folder / prediction_file.FILE
    card = prediction_file.read_card(path)
    if card is None:  # the file is anyone's then
        raise BadInput(path, expected="a card beside it", found="none", fix="predict again")
    joints_mm, row = prediction_file.read_joints(path)
    return {
        "card": {key: value for key, value in card.items() if key != SEAL},
        "joints_mm": prediction_file.pick_joints(card, joints_mm, ["e", "a"]),
        "row": row,
        "steps_mm": prediction_file.read_steps(path),
        "pose": prediction_file.read_pose(path),
        "hand_scale": prediction_file.read_hand_scale(path),
        "quaternions": prediction_file.read_quaternions(path),
        "corners": prediction_file.read_corners(path, card),
    }


def vouch_own(folder: Path) -> None:
    path = folder / prediction_file.CARD
    card = {key: value for key, value in json.loads(path.read_text()).items() if key != SEAL}
    card["sha256_of_file"] = digest_file(folder / prediction_file.FILE)
    path.write_text(json.dumps(seal(card)))


def _evaluate(name: str) -> Any:
    return lambda folder: ["evaluate", str(folder / name), "nyu", "Mine"]


PREDICTION_READERS = (
    Reader(
        "predictions, text",
        write_plain,
        ("mine.txt", LABELS),
        _read("mine.txt"),
        TEXT,
        _say("mine.txt"),
        command=_evaluate("mine.txt"),
    ),
    Reader(
        "predictions, CSV with names",
        write_named,
        ("mine.csv",),
        _read("mine.csv"),
        TEXT,
        _say("mine.csv"),
        cut_is_told=False,
        command=_evaluate("mine.csv"),
    ),
    Reader(
        "predictions, .npy",
        write_array,
        ("mine.npy",),
        _read("mine.npy"),
        NPY,
        _say("mine.npy"),
        command=_evaluate("mine.npy"),
    ),
    Reader(
        "predictions, .npz",
        write_arrays,
        ("mine.npz",),
        _read("mine.npz"),
        NPZ,
        _say("mine.npz"),
        command=_evaluate("mine.npz"),
    ),
    Reader(
        "own predictions",
        write_own,
        (prediction_file.FILE, prediction_file.CARD),
        read_own,
        (*JSON, *NPZ, change_json, change_npz, npz_bomb),
        vouch=vouch_own,
        command=lambda folder: ["evaluate", str(folder / prediction_file.FILE), "dexter", "Mine"],
    ),
)
