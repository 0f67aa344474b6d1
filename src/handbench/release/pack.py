"""From the results of runs to a folder of models: what `handbench models pack` does."""

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save

from handbench.conventions import LOCALIZED
from handbench.datasets.centres import Centre
from handbench.datasets.files import replace_file
from handbench.datasets.lock import hold_alone
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.json_file import read_noted_object
from handbench.release.card import describe_model, render_card, seal_files, tell_error
from handbench.release.look import RealFrame, measure_real, point_out
from handbench.release.manifest import write_manifest
from handbench.release.measure import measure_both
from handbench.release.trained import Found, choose_models, find_tested
from handbench.sealed import SEAL
from handbench.training.checkpoint import CARD as TRAINED
from handbench.training.checkpoint import Checkpoint, load_checkpoint
from handbench.training.handed_on import CARD, FRAME, TENSORS, TEXT, halve, restore

WITHIN_MM = 0.05
"""So far another machine's joints of the same crop may lie from those on the card."""


def pack_models(
    runs: Sequence[Path], out: Path, *, only: Sequence[str] = (), seed: int = 0, real: RealFrame | None = None
) -> int:
    """Write models and their manifest; those of other names in the folder stay. Returns how many were packed."""
    chosen = choose_models(runs, only, seed)
    out.mkdir(parents=True, exist_ok=True)
    with hold_alone(out):
        for name, one in chosen.items():
            error = pack_model(name, one, out, real)
            size = sum(path.stat().st_size for path in (out / name).iterdir())
            print(
                f"{name}: {one.folder}, {tell_error(error['float16'])}, in full precision "
                f"{tell_error(error['float32'])}; {size / 1e6:.1f} MB",
                flush=True,
            )
        write_manifest(out)
    return len(chosen)


def pack_model(name: str, one: Found, out: Path, real: RealFrame | None) -> dict[str, Any]:
    """One model's folder, whole or not at all; returns its errors."""
    checkpoint = load_checkpoint(one.folder)
    content = halve(checkpoint.state)
    halved = Checkpoint(one.folder, checkpoint.card, restore(content))
    dataset, tested = find_tested(one)
    store = open_store(tested)
    error = measure_both(one, checkpoint, halved.state, dataset, tested)
    partial = out / f".{name}.packing"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    replace_file(partial / TENSORS, save({key: value.contiguous() for key, value in content.items()}))
    frame = _keep_frame(halved, store, partial / FRAME)
    told = _measure_real(one, checkpoint, halved, real)
    card = describe_model(name, one, store.card["protocol"], error, told, frame)
    replace_file(partial / TEXT, render_card(card).encode())
    content_card = json.dumps(seal_files(card, partial), indent=1, ensure_ascii=False) + "\n"
    replace_file(partial / CARD, content_card.encode())
    swap_in(partial, out / name)
    return error


def swap_in(partial: Path, folder: Path) -> None:
    """A finished folder in the place of an older one."""
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _keep_frame(halved: Checkpoint, store: CropStore, path: Path) -> Mapping[str, Any]:
    """The first test crop as a file of its own, and what the model in half precision says of it."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(store.depth[0]), allow_pickle=False)
    replace_file(path, buffer.getvalue())
    cube = Centre(np.asarray(store.centre_mm[0], np.float32), float(store.cube_mm[0]))
    points_mm = point_out(halved, path, cube)
    return {
        "name": store.names[0],
        "centre_mm": cube.centre_mm.tolist(),
        "cube_mm": cube.cube_mm,
        "points_mm": np.round(points_mm, 3).tolist(),
        "within_mm": WITHIN_MM,
    }


def _measure_real(
    one: Found, checkpoint: Checkpoint, halved: Checkpoint, real: RealFrame | None
) -> dict[str, Any] | None:
    if real is None:
        return None
    localizer = _find_localizer(one)
    told = measure_real(halved, real, localizer)
    full = measure_real(checkpoint, real, localizer)
    return None if told is None or full is None else told | {"found_float32_mm": full["found_mm"]}


def _find_localizer(one: Found) -> Checkpoint | None:
    """The one that made the crops of a model of localized ones."""
    word, _, sha256 = one.card["centre"]["strategy"].partition("-")
    if word != LOCALIZED:
        return None
    for path in sorted(one.run.glob(f"train/*/*/*/{TRAINED}")):
        # Any other of the run may be damaged without harm to this one.
        if str(read_noted_object(path).get(SEAL)).startswith(sha256):
            return load_checkpoint(path.parent)
    fix = "add it to the run's folder, or pack without --real"
    raise BadInput(one.run, expected=f"the localizer of its crops (sha256 {sha256}...)", found="none", fix=fix)
