"""Bring models from a folder or an address into the cache: what `handbench models fetch` does.

Everything is fetched beside its place and checked against the manifest; a model appears whole or not at all. What a
cut line or a kill has left is gone on with.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handbench.datasets.download import Patience
from handbench.datasets.fetch import Expected, check_disk, check_file
from handbench.datasets.lock import hold_alone
from handbench.errors import BadInput
from handbench.release.manifest import FILES, MANIFEST, count_bytes, read_manifest, write_manifest
from handbench.release.pack import swap_in
from handbench.training.handed_on import check_files

Entry = Mapping[str, Any]
PATIENCE = Patience()


def fetch_models(address: str, to: Path, only: Sequence[str] = (), *, patience: Patience = PATIENCE) -> tuple[int, int]:
    """All models of a release, or those named, into the folder `to`; how many came, and how many were there."""
    with hold_alone(to):
        manifest = fetch_manifest(address, patience=patience)
        if unknown := [name for name in only if name not in manifest]:
            known, found = ", ".join(manifest), ", ".join(unknown)
            raise BadInput(address, expected=f"models among {known}", found=found, fix="name one of these")
        wanted = {name: manifest[name] for name in only or manifest}
        came = [name for name, entry in wanted.items() if not _is_there(to / name, entry)]
        check_disk(to, sum(count_bytes(wanted[name]) for name in came), what="models")
        for name in came:
            _bring(address, name, wanted[name], to, patience)
            print(f"{name}: {count_bytes(wanted[name]) / 1e6:.1f} MB in {to / name}", flush=True)
        if came:
            write_manifest(to)
    return len(came), len(wanted) - len(came)


def fetch_manifest(address: str, *, patience: Patience = PATIENCE) -> dict[str, dict[str, Any]]:
    """The models of a folder or an address."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, MANIFEST)
        patience.fetch(_below(address, MANIFEST), path, Expected("text"))
        return read_manifest(path)


def _bring(address: str, name: str, entry: Entry, to: Path, patience: Patience) -> None:
    partial = to / f".{name}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        told, place = entry["files"][file], partial / file
        expected = Expected(sha256=told["sha256"], size_bytes=told["bytes"])
        if place.is_file():
            # Of an earlier attempt; one of another release is fetched anew.
            try:
                check_file(place, expected, where=place)
                continue
            except BadInput:
                place.unlink()
        patience.fetch(_below(address, f"{name}/{file}"), place, expected)
    swap_in(partial, to / name)


def _is_there(folder: Path, entry: Entry) -> bool:
    try:
        check_files(folder, entry["files"])
    except BadInput:
        return False
    return True


def _below(address: str, name: str) -> str:
    """A file of a release; its address may be that of the manifest itself."""
    base = address.removesuffix(f"/{MANIFEST}").rstrip("/")
    return f"{base}/{quote(name) if '://' in base else name}"
