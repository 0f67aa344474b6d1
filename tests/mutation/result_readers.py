"""Readers of what the pipeline leaves for its later stages: crops, checkpoints, fits, probes, evaluations, truths."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handbench.datasets.crops import build_crops
from handbench.datasets.drawn_object import REASONS
from handbench.datasets.files import digest_file
from handbench.datasets.hands import SHAPE, read_quaternions
from handbench.datasets.render_truth import read_render_truth
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.datasets.store import CARD, INDEX, array_layout, open_store
from handbench.datasets.synthesize import synthesize
from handbench.datasets.truth import read_forearms, read_truth, unpack_forearm
from handbench.errors import BadInput
from handbench.evaluation.fits import read_fits
from handbench.evaluation.probes import read_probes
from handbench.evaluation.results import SHA256_OF_ERRORS, read_results
from handbench.evaluation.true_boxes import read_true_corners
from handbench.fitting import pose_file
from handbench.hand.keypoints import Hand, scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, SHAPE_FIELDS
from handbench.networks.predictor import SimplePredictor
from handbench.report.frame_data import open_frames
from handbench.report.own_hand_model import load_hand_model
from handbench.report.run_card import read_run_card
from handbench.report.run_table import build_run_table
from handbench.report.sources import Sources
from handbench.sealed import SEAL, seal
from handbench.training import checkpoint
from handbench.training.probe_file import ARRAYS, FILE, save_probe
from tests.datasets.crop_fixtures import make_listing
from tests.mutation.damage import TEXT
from tests.mutation.reader import Reader
from tests.mutation.structures import JSON, NPY, NPZ, TENSORS, rename_dataset
from tests.report.picture_fixtures import make_pictures
from tests.report.run_fixtures import write_run

FRAMES = 6


def _vouch(card: str, **digests: str) -> Any:
    """Writes the digests of files into a card by their keys, and seals it."""

    def vouch(folder: Path) -> None:
        content = json.loads((folder / card).read_text())
        content.pop(SEAL, None)
        for key, file in digests.items():
            content[key] = digest_file((folder / card).parent / file)
        (folder / card).write_text(json.dumps(seal(content)))

    return vouch


def write_crops(folder: Path) -> None:
    build_crops(make_listing(FRAMES), centre="joint", size_px=16, out=folder / "crops")


def read_crops(folder: Path) -> Any:
    store = open_store(folder / "crops")
    return store, store.camera, store.joint_names, store.scored, np.asarray(store.depth)


def vouch_crops(folder: Path) -> None:
    path = folder / "crops" / CARD
    card = json.loads(path.read_text())
    card.pop(SEAL, None)
    for name in card["files"]:
        card["files"][name]["sha256"] = digest_file(folder / "crops" / name)
    path.write_text(json.dumps(seal(card)))


CROP_FILES = tuple(f"crops/{name}" for name in (CARD, CARD, CARD, INDEX, *array_layout(1, 1)))


def write_checkpoint(folder: Path) -> None:
    settings = {"epochs": 1, "batch": 4}
    kind, names = "feedback15.predictor", list(scored_skeleton("nyu").names)
    card = {"kind": kind, "module": "mine", "paper": "feedback15", "settings": settings, "seed": 0, "fold": None}
    card |= {"dataset": "nyu", "joints": names, "size_px": 32, "poses": None, "held": None}
    card["centre"] = {"strategy": "com", "uses_ground_truth": False}
    torch.manual_seed(0)
    checkpoint.save_checkpoint(folder, SimplePredictor(len(names), 32).state_dict(), card)


def read_checkpoint(folder: Path) -> Any:
    """As far as the model that someone with a camera uses."""
    loaded = checkpoint.load_checkpoint(folder)
    network = loaded.trained.build()
    model = load_hand_model(loaded, None, None)
    return loaded.card, loaded.state, network.state_dict(), model.joints, model.cube_mm


def write_fit(folder: Path) -> None:
    random = np.random.default_rng(0)
    poses = pose_file.FittedPoses(
        Hand(REFERENCE_SHAPE, scored_keypoints("nyu")),
        ANGLE_LIMITS_RAD,
        random.normal(size=(FRAMES, 26)).astype(np.float32),
        np.arange(FRAMES),
        np.ones(FRAMES, np.float32),
        random.random(FRAMES).astype(np.float32),
        {},
    )
    left = {"mean_mm": 2.5, "variance_mm2": 1.2, "worst_mm": {"a.png": 9.0}, "frames": FRAMES, "seconds": 12.0}
    told = {
        "dataset": "nyu",
        "split": "test",
        "source": "embedded",
        "lbfgs": left,
        "truth": {"mean_angle_error_deg": 3},
    }
    pose_file.save_poses(folder / "fit/nyu/test", poses, told)


def read_fit(folder: Path) -> Any:
    return pose_file.load_poses(folder / "fit/nyu/test"), read_fits(folder)


PROBE = "probe/nyu/feedback15_loop/seed0"


def _take_one(found: Sequence[Any], folder: Path) -> Any:
    """What has vanished is a result that was not run; the report says so."""
    if not found:
        raise BadInput(folder, expected="a result", found="none", fix="run the pipeline")
    return found[0]


def write_probe(folder: Path) -> None:
    content = {"kind": "any", "module": "feedback15_loop", "seed": 0, "paper": "feedback15", "settings": {}}
    content |= {"dataset": "nyu", "converged": True, "source": "embedded", "scale": "demo", "centre": "com"}
    numbers = {"frames": 3, "frame_hand_mm": [1.0, None, 3.0], "sequences": ["a", "a", "b"]}
    curve = np.linspace(0, 1, 7).astype(np.float32)
    save_probe(folder / PROBE, content | {"numbers": numbers}, make_pictures("feedback15", "nyu"), {"curve": curve})


def read_probe(folder: Path) -> Any:
    probe = _take_one(read_probes(folder), folder)
    return (
        {name: value for name, value in vars(probe).items() if name not in ("folder",)},
        probe.open_pictures(),
        probe.open_arrays(),
        probe.frame_hand_mm,
        probe.frames,
    )


EVALUATED = "demo-embedded/evaluate/nyu/nn_search/seed0"


def write_evaluation(folder: Path) -> None:
    run = write_run(folder / "demo-embedded", datasets=("nyu",), seeds=(0,))
    (run / "call.json").write_text(json.dumps(seal(json.loads((run / "call.json").read_text()))))


def read_evaluation(folder: Path) -> Any:
    """Results, what the report stamps them with, the table of them all, and the error of every frame."""
    run = folder / "demo-embedded"
    every = read_results(run)
    results = [one for one in every if one.module == "nn_search"]
    frames = open_frames(run, _take_one(results, run))
    card = read_run_card(run, every)
    table = build_run_table(Sources(run, card, every, None))
    return [vars(one) for one in results], frames.errors_mm, frames.places, card, vars(table)


def vouch_evaluation(folder: Path) -> None:
    _vouch(f"{EVALUATED}/evaluation.json", **{SHA256_OF_ERRORS: "errors.npz"})(folder)
    _vouch("demo-embedded/call.json")(folder)


def write_truth(folder: Path) -> None:
    synthesize("dexter", folder, frames={"test": FRAMES}, seed=4)


def read_truths(folder: Path) -> Any:
    path = folder / "truth.npz"
    truth = read_truth(path, "test")
    forearms = [unpack_forearm(packed, "dexter") for packed in read_forearms(path, "test")]
    return {"truth": vars(truth), "corners": read_true_corners(path, "test"), "forearms": forearms}


def write_rendered(folder: Path) -> None:
    random = np.random.default_rng(0)
    turns = random.normal(0, 1, (FRAMES, 16, 4)).astype(np.float32)
    np.savez_compressed(
        folder / "truth.npz",
        sequence=np.array(["semi"] * 2 + ["full"] * 4),
        subject=np.array(["P1"] * FRAMES),
        visible=random.random((FRAMES, 29)) < 0.5,
        object_kind=np.array(["box"] * FRAMES),
        object_centre_mm=random.normal(0, 9, (FRAMES, 3)).astype(np.float32),
        object_rotation=np.repeat(np.eye(3, dtype=np.float32)[None], FRAMES, axis=0),
        object_size_mm=random.uniform(20, 90, (FRAMES, 3)).astype(np.float32),
        hand_row=np.array([0, 1, -1, -1, -1, -1], np.int32),
        rejected=np.zeros((FRAMES, len(REASONS)), np.int64),
        poses=random.normal(0, 1, (4, 26)).astype(np.float32),
        penetration_mm=random.random(4).astype(np.float32),
        gap_mm=random.random(4).astype(np.float32),
        released=random.random(4) < 0.5,
        quaternions=turns / np.linalg.norm(turns, axis=2, keepdims=True),
        **{name: getattr(SHAPE, name) for name in SHAPE_FIELDS},
    )


def read_rendered(folder: Path) -> Any:
    path = folder / "truth.npz"
    return vars(read_render_truth(path)), read_quaternions(path, FRAMES)


def say_arrays(read: Any) -> Any:
    """Arrays have no digest: a whole archive with other numbers is another truth, if it can be one."""

    def say(folder: Path) -> Any:
        with np.load(folder / "truth.npz", allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        for name, array in arrays.items():
            assert array.dtype.str[1:] in ("f4", "f8", "i4", "i8", "u1", "b1") or array.dtype.kind == "U", (
                f"{name}: type"
            )
            assert array.dtype.kind != "f" or name.startswith("object_") or np.isfinite(array).all(), f"{name}: NaN"
        return read(folder)

    return say


RESULT_READERS = (
    Reader(
        "crops",
        write_crops,
        CROP_FILES,
        read_crops,
        (*JSON, *NPY, *TEXT),
        vouch=vouch_crops,
        command=lambda folder: ["predict", "nowhere", "--store", str(folder / "crops"), "--out", "out"],
    ),
    Reader(
        "checkpoint",
        write_checkpoint,
        (checkpoint.CARD, checkpoint.TENSORS),
        read_checkpoint,
        (*JSON, *TENSORS, rename_dataset),
        vouch=_vouch(checkpoint.CARD, **{checkpoint.DIGEST: checkpoint.TENSORS}),
        command=lambda folder: ["export", str(folder), "--out", "out.onnx"],
    ),
    Reader(
        "fitted poses",
        write_fit,
        (f"fit/nyu/test/{pose_file.CARD}", f"fit/nyu/test/{pose_file.FILE}"),
        read_fit,
        (*JSON, *NPZ),
        vouch=_vouch(f"fit/nyu/test/{pose_file.CARD}", sha256_of_file=pose_file.FILE),
    ),
    Reader(
        "probe",
        write_probe,
        (f"{PROBE}/{FILE}", f"{PROBE}/pictures.npz", f"{PROBE}/{ARRAYS}"),
        read_probe,
        (*JSON, *NPZ, rename_dataset),
        vouch=_vouch(f"{PROBE}/{FILE}", sha256_of_pictures="pictures.npz", sha256_of_arrays=ARRAYS),
    ),
    Reader(
        "evaluation",
        write_evaluation,
        (f"{EVALUATED}/evaluation.json", f"{EVALUATED}/errors.npz", "demo-embedded/call.json"),
        read_evaluation,
        (*JSON, *NPZ, rename_dataset),
        vouch=vouch_evaluation,
        command=lambda folder: ["report", str(folder / "demo-embedded"), "--out", str(folder / "report")],
        told_elsewhere=(f"{EVALUATED}/errors.npz",),
    ),
    Reader("truth.npz", write_truth, ("truth.npz",), read_truths, NPZ, say_arrays(read_truths)),
    Reader("truth.npz, rendered", write_rendered, ("truth.npz",), read_rendered, NPZ, say_arrays(read_rendered)),
)
