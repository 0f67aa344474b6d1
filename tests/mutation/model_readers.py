"""Readers of models that are handed on: the list of a folder, a model as it is verified, a model as it is used."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import ICVL
from handbench.datasets.centres import Centre
from handbench.datasets.crops import build_crops
from handbench.datasets.files import digest_file
from handbench.datasets.own_crops import read_own_crop
from handbench.datasets.own_hand import DEFAULT_REACH
from handbench.release.card import render_card
from handbench.release.listing import as_json, as_table, list_models
from handbench.release.manifest import FILES, MANIFEST, SHOWN
from handbench.release.pack import pack_models
from handbench.release.verify import verify_models
from handbench.report.own_prediction import load_model
from handbench.sealed import SEAL, seal
from handbench.training.handed_on import CARD, CONTENT, FRAME, TENSORS, TEXT
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing
from tests.mutation.reader import Reader
from tests.mutation.structures import JSON, NPY
from tests.mutation.structures import TENSORS as HEADERS

NAME = "predictor-icvl"
CROP = "crop.npy"
CENTRE_MM, CUBE_MM = (10.0, 20.0, 700.0), 200.0


def write_models(folder: Path) -> None:
    """A predictor that has learned for a moment, in a folder of models; and a crop to try it on."""
    run = folder / "results" / "demo-real"
    crops, trained = run / "crop" / ICVL.name / "joint", run / "train" / ICVL.name / "predictor" / "seed0"
    build_crops(make_listing(12, split="train"), centre="joint", size_px=16, out=crops / "train")
    build_crops(make_listing(6), centre="joint", size_px=16, out=crops / "test")
    settings = {"epochs": 1, "batch": 8, "learning_rate": 0.0002}
    train(Job("feedback15.predictor", "predictor", "feedback15", settings, 0, None), crops / "train", trained)
    pack_models([run], folder / "models")
    _forget_folder(folder)
    ramp = np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16)
    np.save(folder / CROP, ramp, allow_pickle=False)


def _forget_folder(folder: Path) -> None:
    """The same bytes wherever the specimen lies: cards name the crops that were learned from."""
    path = folder / "models" / NAME / CARD
    path.write_text(path.read_text().replace(f"{folder}{os.sep}", ""))
    vouch_models(folder)


def vouch_models(folder: Path) -> None:
    """Digests, seals and texts of files that are what they are now: a card as a stranger might have written it."""
    place = folder / "models" / NAME
    card = json.loads((place / CARD).read_text())
    card.pop(SEAL, None)
    try:
        (place / TEXT).write_text(render_card(card))
    finally:
        card["files"] |= {name: _tell(place / name) for name in CONTENT}
        (place / CARD).write_text(json.dumps(seal(card)))
        vouch_manifest(folder)


def vouch_manifest(folder: Path) -> None:
    path, place = folder / "models" / MANIFEST, folder / "models" / NAME
    content = json.loads(path.read_text())
    content.pop(SEAL, None)
    card = json.loads((place / CARD).read_text())
    content["models"][NAME] |= {key: card[key] for key in SHOWN if key in card}
    content["models"][NAME]["files"] |= {name: _tell(place / name) for name in FILES}
    path.write_text(json.dumps(seal(content)))


def seal_manifest(folder: Path) -> None:
    """Whatever it says."""
    path = folder / "models" / MANIFEST
    content = json.loads(path.read_text())
    content.pop(SEAL, None)
    path.write_text(json.dumps(seal(content)))


def _tell(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": digest_file(path)}


def read_list(folder: Path) -> Any:
    """As a table and for machines, of a release somewhere."""
    rows = list_models(str(folder / "models"))
    assert json.loads(as_json(rows)) == rows
    return as_table(rows), rows


def read_verified(folder: Path) -> Any:
    """How far the points of every model are off; the first fault is told as by itself."""
    verdicts = verify_models(folder / "models")
    for one in verdicts:
        if one.fault:
            raise one.fault
    return [(one.folder.name, one.off_mm) for one in verdicts]


def read_used(folder: Path) -> Any:
    """Joints of a crop, as `handbench predict` finds them."""
    model = load_model(folder / "models" / NAME, CUBE_MM)
    cube = Centre(np.array(CENTRE_MM, np.float32), CUBE_MM)
    frame = read_own_crop(folder / CROP, cube, model.size_px)
    return model.name, model.answer([model.find_hand(frame, cube, DEFAULT_REACH)], frame.camera).steps_mm


def use(folder: Path) -> list[str]:
    place = [*map(str, CENTRE_MM), "--cube", str(CUBE_MM)]
    words = ["predict", str(folder / CROP), "--model", str(folder / "models" / NAME), "--centre", *place]
    return [*words, "--no-pictures", "--out", str(folder / "out")]


_IN_MODEL = f"models/{NAME}"
MODEL_READERS = (
    Reader(
        "models, the list",
        write_models,
        (f"models/{MANIFEST}",),
        read_list,
        JSON,
        vouch=seal_manifest,
        command=lambda folder: ["models", "list", "--from", str(folder / "models")],
    ),
    Reader(
        "models, verified",
        write_models,
        (
            *(f"{_IN_MODEL}/{CARD}", f"{_IN_MODEL}/{CARD}", f"{_IN_MODEL}/{TEXT}", f"{_IN_MODEL}/{FRAME}"),
            *(f"{_IN_MODEL}/{TENSORS}", f"models/{MANIFEST}"),
        ),
        read_verified,
        (*JSON, *NPY, *HEADERS),
        vouch=vouch_models,
    ),
    Reader(
        "models, in use",
        write_models,
        (f"{_IN_MODEL}/{CARD}", f"{_IN_MODEL}/{TENSORS}"),
        read_used,
        (*JSON, *HEADERS),
        vouch=vouch_models,
        command=use,
    ),
)
