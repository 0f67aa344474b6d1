"""Bring models from a folder or an address into the cache: what `handbench models fetch` does.

Everything is fetched beside its place and checked against the manifest; a model appears whole or not at all, and is
listed at once. What a cut line or a kill has left is gone on with.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handbench.datasets.download import Patience
from handbench.datasets.fetch import Expected, check_disk, check_file
from handbench.datasets.lock import hold_alone
from handbench.errors import BadInput
from handbench.release.manifest import (
    FILES,
    MANIFEST,
    count_bytes,
    list_readable,
    read_manifest,
    refuse_strangers,
)
from handbench.release.pack import swap_in
from handbench.training.handed_on import check_files, list_names

Entry = Mapping[str, Any]
PATIENCE = Patience()
MOST_BYTES = 4_000_000
"""Of a manifest: enough for two thousand models."""


def fetch_models(address: str, to: Path, only: Sequence[str] = (), *, patience: Patience = PATIENCE) -> tuple[int, int]:
    """All models of a release, or those named, into the folder `to`; how many came, and how many were there.

    One that cannot be had is named in a line on standard error; the others come, and BadInput says so at the end.
    """
    _refuse_file(to)
    with hold_alone(to):
        manifest = fetch_manifest(address, patience=patience)
        if unknown := [name for name in only if name not in manifest]:
            known, found = ", ".join(manifest), ", ".join(unknown)
            raise BadInput(address, expected=f"models among {known}", found=found, fix="name one of these")
        wanted = {name: manifest[name] for name in only or manifest}
        missing = {name: entry for name, entry in wanted.items() if not _is_there(to / name, entry)}
        check_disk(to, sum(map(count_bytes, missing.values())), what="models")
        if list_names(to):
            list_readable(to)
        failed = _bring_all(address, missing, to, patience)
    came, there = len(missing) - failed, len(wanted) - len(missing)
    if failed:
        told = f"the others are in {to}: {came} fetched, {there} there already; run the same command again"
        found = f"{failed} that cannot be had, named above"
        raise BadInput(address, expected=f"{len(wanted)} sound models", found=found, fix=told)
    return came, there


def fetch_manifest(address: str, *, patience: Patience = PATIENCE) -> dict[str, dict[str, Any]]:
    """The models of a folder or an address."""
    if not address:
        fix = "name one with --from, or leave --from out"
        raise BadInput("--from", expected="a folder or an address", found="an empty word", fix=fix)
    where = _below(address, MANIFEST)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, MANIFEST)
        patience.fetch(where, path, Expected("text", most_bytes=MOST_BYTES))
        try:
            return read_manifest(path)
        except BadInput as fault:
            # Of a copy that nobody will find.
            fix = "name another release, or have it packed anew with `handbench models pack`"
            raise BadInput(where, expected=fault.expected, found=fault.found, fix=fix) from None


def _refuse_file(to: Path) -> None:
    standing = next(place for place in (to, *to.absolute().parents) if place.exists())
    if not standing.is_dir():
        raise BadInput(to, expected="a folder", found=f"a file, {standing}", fix="choose another place with --to")


def _bring_all(address: str, missing: Mapping[str, Entry], to: Path, patience: Patience) -> int:
    """Returns how many could not be had; where one alone is wanted, it is refused."""
    failed = 0
    for name, entry in missing.items():
        try:
            _bring(address, name, entry, to, patience)
        except BadInput as fault:
            if len(missing) == 1:
                raise
            print(f"{name}: not fetched: {fault}", file=sys.stderr, flush=True)
            failed += 1
            continue
        list_readable(to)
        print(f"{name}: {count_bytes(entry) / 1e6:.1f} MB in {to / name}", flush=True)
    return failed


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
    for other in partial.iterdir():
        # What was refused of an earlier attempt is no part of the model.
        if other.name not in FILES:
            shutil.rmtree(other) if other.is_dir() and not other.is_symlink() else other.unlink()
    swap_in(partial, to / name)


def _is_there(folder: Path, entry: Entry) -> bool:
    try:
        check_files(folder, entry["files"])
        refuse_strangers(folder)
    except BadInput:
        return False
    return True


def _below(address: str, name: str) -> str:
    """A file of a release; its address may be that of the manifest itself."""
    base = address.removesuffix(f"/{MANIFEST}").rstrip("/")
    return f"{base}/{quote(name) if '://' in base else name}"
