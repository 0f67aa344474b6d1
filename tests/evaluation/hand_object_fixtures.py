"""A run on Dexter+Object as the pipeline leaves one: hands that hold boxes, and predictions that stray from them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import DEXTER, HANDOBJECT, MSRA_JOINTS, SHIPPED
from handbench.datasets.crops import build_crops
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.listing import Listing
from handbench.datasets.store import CropStore, open_store
from handbench.datasets.takes import Take, label_take, object_truth, prepare_take
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_files import save_evaluation
from handbench.evaluation.true_boxes import read_true_corners
from handbench.geometry.box import Box, box_corners
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.training.picture_file import Pictures
from handbench.training.prediction_file import FILE, save_predictions
from handbench.training.probe_file import save_probe

MIRROR = np.array([-1.0, 1.0, 1.0])
SEEDS = (0, 1, 2)
TRUTH = "synthesize/dexter/truth.npz"
HALF_TURNS = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])


@dataclass(frozen=True)
class Strayed:
    """How far predictions of a module stray at each step: the hand's joints, the object's place and turn."""

    title: str
    joints_mm: tuple[float, ...]
    place_mm: tuple[float, ...]
    turn_deg: tuple[float, ...]


COMPOSED = "handobject_composed"
MODULES = {
    "handobject": Strayed("Feedback, hand and object", (12.0, 9.0, 8.0), (7.0, 5.0, 4.0), (8.0, 5.0, 4.0)),
    "handobject_network": Strayed("Feedback, object drawn by a network", (12.0, 9.0, 8.1), (7, 5, 4.1), (8, 5, 4.1)),
    "handobject_single": Strayed("Single network", (20.0,), (18.0,), (16.0,)),
    "handobject_rotation": Strayed("Rotation and translation", (12.0,), (8.0,), (20.0,)),
}


def plan_takes(frames: int) -> list[Take]:
    return [prepare_take(one) for one in plan_recordings("dexter", {"test": frames}, 0)]


def find_hands(takes: list[Take]) -> np.ndarray:
    """MSRA's 21 joints of the left hands that the images show."""
    return np.concatenate([keypoint_positions(KEYPOINTS["msra"], t.recording.shape, t.poses) * MIRROR for t in takes])


def write_truth(path: Path, takes: list[Take]) -> None:
    """What truth.npz says of objects."""
    boxes = [object_truth(take, index) for take in takes for index in range(len(take.poses))]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        allow_pickle=False,
        split=np.full(len(boxes), "test"),
        object_centre_mm=np.float32([box.centre_mm for box in boxes]),
        object_rotation=np.float32([box.rotation for box in boxes]),
        object_size_mm=np.float32([box.size_mm for box in boxes]),
        mirrored=np.array(True),
    )


def make_listing(root: Path, takes: list[Take]) -> Listing:
    """A flat square at the hand's depth; some tips and some corners are hidden."""
    joints_mm = np.concatenate([label_take(take) for take in takes]) * MIRROR
    rng = np.random.default_rng(0)
    joints_mm[rng.random(joints_mm.shape[:2]) < 0.1] = np.nan
    depth_mm = np.zeros((DEXTER.camera.height, DEXTER.camera.width), np.float32)
    depth_mm[80:160, 120:200] = float(np.nanmedian(joints_mm[..., 2]))
    sequences = tuple(take.recording.sequence for take in takes for _ in take.poses)
    return Listing(
        convention=DEXTER,
        split="test",
        root=root,
        names=tuple(f"{sequence}/depth/{row:05d}_depth.png" for row, sequence in enumerate(sequences)),
        subjects=("unknown",) * len(sequences),
        sequences=sequences,
        joints_mm=joints_mm.astype(np.float32),
        read_depth=lambda _: depth_mm,
        annotations=SHIPPED,
    )


def write_run(run: Path, *, frames: int = 1800, modules: dict[str, Strayed] = MODULES) -> Path:
    """Crops, the truth beside them, and every module with every seed, predicted and evaluated."""
    takes = plan_takes(frames)
    write_truth(run / TRUTH, takes)
    raw = (run / TRUTH).parent / "raw"
    raw.mkdir()
    store = run / "crop" / "dexter" / "com" / "test"
    build_crops(make_listing(raw, takes), centre="block", size_px=32, out=store)
    write_call(run, modules)
    for module, strayed in modules.items():
        for seed in SEEDS:
            predict_module(run, open_store(store), find_hands(takes), module, strayed, seed)
            evaluate_module(run, module, strayed.title, seed)
    return run


def write_call(run: Path, modules: dict[str, Strayed] = MODULES) -> None:
    trained: dict[str, Any] = {"datasets": ["dexter"], "settings": {"epochs": 8, "batch": 64}}
    settings: dict[str, Any] = {"seeds": list(SEEDS), "scale": "demo", "source": "embedded", "use": ["dexter"]}
    localizers = [f"handobject_{part}_localizer{of}" for part in ("hand", "object") for of in ("", "_spheres")]
    parts = [f"handobject_{part}_{kind}" for part in ("hand", "object") for kind in ("predictor", "updater")]
    settings["modules"] = {name: trained | {"needs": []} for name in (*modules, *localizers, *parts, COMPOSED)}
    settings["modules"]["handobject"]["needs"] = parts
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake", "scale": "demo"}
    call |= {"source": "embedded", "commit": "abc1234", "config_digest": "0123456789abcdef", "settings": settings}
    (run / "call.json").write_text(json.dumps(call))


def stray_boxes(corners: np.ndarray, strayed: Strayed, rng: np.random.Generator) -> np.ndarray:
    """Boxes of every step, moved and turned the same way, each frame's corners in one of the four orders."""
    place, axis = rng.normal(0, 1, (2, len(corners), 1, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = rng.normal(0, 1, (len(corners), 1, 1))
    centre = corners.mean(axis=1, keepdims=True)
    order = _list_orders()[rng.integers(0, 4, len(corners))]
    corners = np.take_along_axis(corners, order[:, :, None], axis=1)
    steps = []
    for place_mm, turn_deg in zip(strayed.place_mm, strayed.turn_deg, strict=True):
        by = np.radians(turn_deg) * angle
        arm = corners - centre
        turned = arm * np.cos(by) + np.cross(axis, arm) * np.sin(by)
        turned += axis * (axis * arm).sum(axis=-1, keepdims=True) * (1 - np.cos(by))
        steps.append(centre + place_mm * place + turned)
    return np.stack(steps)


def _list_orders() -> np.ndarray:
    unit = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    return np.array([[np.flatnonzero((unit == one * turn).all(axis=1))[0] for one in unit] for turn in HALF_TURNS])


def predict_module(run: Path, store: CropStore, hands_mm: np.ndarray, module: str, strayed: Strayed, seed: int) -> Path:
    """Predictions of the frames of a store."""
    rng, rows = np.random.default_rng(seed), np.asarray(store.row)
    hands_mm, corners = hands_mm[rows], read_true_corners(run / TRUTH, "test")[rows]
    error = rng.normal(0, 1 / 1.6, hands_mm.shape) * rng.gamma(4, 0.25, (len(rows), 1, 1))
    joints = np.stack([hands_mm + spread * error for spread in strayed.joints_mm]).astype(np.float32)
    boxes = stray_boxes(corners, strayed, rng).astype(np.float32)
    protocol = store.card["protocol"]
    card = {"paper": "feedback19", "module": module, "kind": "any", "seed": seed, "split": "test", "centre": "com"}
    card |= {"settings": {"epochs": 12, "batch": 64}, "store": str(store.path), "protocol": protocol}
    card |= {"title": strayed.title, "dataset": "dexter", "folds": [], "frames": len(rows), "checkpoints": []}
    card |= {"converged": True, "gives_object": True, "joints": list(MSRA_JOINTS.names)}
    folder = run / "predict" / "dexter" / module / f"seed{seed}"
    before = (joints[:-1], boxes[:-1]) if len(joints) > 1 else (None, None)
    save_predictions(
        folder, joints[-1], store.names, rows, card, before[0], corners=boxes[-1], corners_before=before[1]
    )
    return folder


def evaluate_module(run: Path, module: str, title: str, seed: int) -> Path:
    folder = run / "predict" / "dexter" / module / f"seed{seed}"
    out = run / "evaluate" / "dexter" / module / f"seed{seed}"
    told = evaluate(folder / FILE, "dexter", title, truth_file=run / TRUTH, out=out, call=run / "call.json")
    save_evaluation(told, out)
    return out


def write_probes(run: Path) -> None:
    """Localizers of which one is thrown off by objects it never saw, and the time of the loop."""
    sequences = open_store(run / "crop/dexter/com/test").sequences
    off_mm = {"hand_localizer": 9.0, "hand_localizer_spheres": 10.2}
    off_mm |= {"object_localizer": 11.0, "object_localizer_spheres": 38.0}
    for seed in SEEDS:
        for word, mean_mm in off_mm.items():
            distances = np.random.default_rng(seed).gamma(4, mean_mm / 4, len(sequences))
            numbers = {"frames": len(sequences), "sequences": sequences, "frame_localized_mm": distances.tolist()}
            numbers["not_moved"] = 7 * seed if word.endswith("spheres") else 0
            write_probe(run, f"handobject_{word}", seed, numbers)
        timed = {"localizer": 1.2, "predictor": 1.8, "synthesizer": 4.1, "updater": 2.2, "loop": 16.0}
        faster = {part: time_ms / 3 for part, time_ms in timed.items()}
        told = {"milliseconds": {"1": timed, "64": faster}, "threads": 2, "device": "CPU", "precision": "float32"}
        write_probe(run, "handobject", seed, {"frames": len(sequences), **told})
        write_probe(run, COMPOSED, seed, show_composed(run))


def show_composed(run: Path) -> dict[str, Any]:
    """What a probe tells of rendered frames: poses 10 mm off at the start and 4 mm at the end."""
    place = run / "crop" / "handobject" / "com-400" / "composed"
    if not place.exists():
        build_crops(make_rendered(run), centre="com-400", size_px=48, out=place)
    store = open_store(place)
    truth_mm = np.asarray(store.joints_mm)[[1, 3]]
    steps = np.stack([truth_mm + np.float32([off_mm, 0, 0]) for off_mm in (10, 6, 4)])
    errors = [[10.0, 10.0], [6.0, 6.0], [4.0, 4.0]]
    shown = {"places": [1, 3], "hands": steps[:, :, :21].tolist(), "corners": steps[:, :, 21:].tolist()}
    shown |= {"hand_mm": errors, "object_mm": errors}
    means = {"hand_mm": [10.0, 6.0, 4.0], "object_mm": [10.0, 6.0, 4.0]}
    # The run has been moved since: the named place is no more.
    told = {"frames": 2, "store": "moved/crop/handobject/com-400/composed", "sha256_of_store": store.card["sha256"]}
    return {**told, **means, "shown": shown}


def make_rendered(run: Path) -> Listing:
    """A ball of a hand with a box of 60 mm beside it."""
    depth_mm = np.zeros((HANDOBJECT.camera.height, HANDOBJECT.camera.width), np.float32)
    depth_mm[80:160, 100:200] = 480
    hand_mm = np.random.default_rng(0).normal(0, 30, (4, 21, 3)) + [0, 0, 490]
    corners = box_corners(Box(np.array([40.0, 0, 490]), np.eye(3), np.array([60.0, 80, 40])))
    joints_mm = np.concatenate([hand_mm, np.broadcast_to(corners, (4, 8, 3))], axis=1)
    root = run / "render" / "composed" / "raw"
    root.mkdir(parents=True)
    return Listing(
        convention=HANDOBJECT,
        split="composed",
        root=root,
        names=tuple(f"{row}.png" for row in range(4)),
        subjects=("user_1",) * 4,
        sequences=("full",) * 4,
        joints_mm=joints_mm.astype(np.float32),
        read_depth=lambda _: depth_mm,
    )


def write_probe(run: Path, module: str, seed: int, numbers: dict[str, Any]) -> None:
    content = {"kind": "any", "module": module, "seed": seed, "paper": "feedback19", "settings": {}}
    content |= {"dataset": "dexter", "converged": True, "source": "embedded", "scale": "demo", "centre": "com"}
    nothing = np.zeros((0, 8, 8), np.uint8)
    pictures = Pictures(
        rows=np.zeros(0, np.int64),
        chosen=(),
        steps=(),
        camera=nothing,
        drawn=nothing[:, None],
        truth_px=np.zeros((0, 5, 3), np.float32),
        poses_px=np.zeros((0, 1, 5, 3), np.float32),
        pose_mm=np.zeros((0, 1), np.float32),
        hand_mm=np.zeros((0, 1), np.float32),
        image_mm=np.zeros((0, 1), np.float32),
        cube_mm=np.zeros(0, np.float32),
    )
    folder = run / "probe" / "dexter" / module / f"seed{seed}"
    save_probe(folder, content | {"sha256_of_checkpoint": "", "numbers": numbers}, pictures)


def change_card(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Save predictions anew after `change` had its way with their arrays and their card."""
    card = json.loads((folder / "predictions.json").read_text())
    for key in ("format", "version", "sha256_of_file", "sha256"):
        del card[key]
    with np.load(folder / FILE, allow_pickle=False) as file:
        arrays = dict(file)
    change(arrays, card)
    names, row = tuple(arrays.pop("names").tolist()), arrays.pop("row")
    save_predictions(folder, arrays.pop("joints_mm"), names, row, card, **arrays)
