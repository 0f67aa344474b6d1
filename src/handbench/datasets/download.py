"""Bring a dataset or the published record into a folder: fetched, verified, unpacked, and only then declared there.

<to>/archives/<name>   what was fetched, or put there by hand
<to>/raw/              the tree an importer reads; appears only when complete
<to>/receipt.json      the manifest's content, put down just before raw/ appears; outlives a deleted manifest
<to>/manifest.json     written last: a folder without it is not finished
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from handbench.datasets.archives import BadArchive, clear, unpack
from handbench.datasets.doctor import recognise
from handbench.datasets.doctor.diagnosis import name_some, to_printable
from handbench.datasets.fetch import DeadAddress, Expected, check_disk, check_file, fetch, held_bytes
from handbench.datasets.files import replace_file
from handbench.datasets.lock import hold_alone
from handbench.datasets.published import PUBLISHED
from handbench.datasets.registry import RELEASES, Archive, Release
from handbench.errors import BadInput
from handbench.json_file import read_object


@dataclass(frozen=True)
class Patience:
    """How long a download puts up with a bad line."""

    attempts: int = 5
    wait_s: float = 1.0
    timeout_s: float = 30.0

    def fetch(self, address: str, place: Path, expected: Expected) -> None:
        """The file at an address, whole and checked."""
        fetch(
            address,
            place,
            expected=expected,
            attempts=self.attempts,
            wait_s=self.wait_s,
            timeout_s=self.timeout_s,
        )


def download(
    dataset: str,
    to: Path,
    *,
    mirrors: Sequence[str] = (),
    patience: Patience | None = None,
) -> Path:
    """Download `dataset` into `to` and return the folder of its files, `to/raw`.

    A mirror is the address of a folder (http, https, file:// or a plain path) that holds the files under their
    names, or of the archive itself; mirrors are tried before the authors' addresses. What is already there is kept.
    """
    if dataset not in RELEASES:
        raise BadInput(
            dataset, expected=f"one of {', '.join(RELEASES)}", found="another word", fix="check the spelling"
        )
    release = RELEASES[dataset]
    patience = patience or Patience()
    to = to.absolute()
    print(f"{release.title}\n  cite     {release.citation}\n  licence  {release.licence}\n  page     {release.page}")
    if to.exists() and not to.is_dir():
        raise BadInput(to, expected="a folder", found="a file", fix="choose another place with --to")
    with hold_alone(to):
        if dataset == "published":
            return _download_published(release, to, mirrors, patience)
        return _download_archives(release, to, mirrors, patience)


def _download_archives(release: Release, to: Path, mirrors: Sequence[str], patience: Patience) -> Path:
    raw, manifest = to / "raw", to / "manifest.json"
    if _is_finished(release, raw, manifest):
        print(f"{raw} is complete (see {manifest}); nothing to do")
        return raw
    # Archives at hand are counted as paid for; what their unpacking takes is checked against their own headers.
    at_hand_bytes = sum(held_bytes(_place_of(archive, to)) for archive in release.archives)
    check_disk(to, max(release.need_bytes - at_hand_bytes, 0), what=f"{release.title}, archive and files")
    for archive in release.archives:
        _bring_archive(archive, release, to, mirrors, patience)
    places = [_place_of(archive, to) for archive in release.archives]
    unpacked = _unpack_all(release, places, raw, manifest)
    print(f"{unpacked:,} files in {raw}; the archives in {places[0].parent} are no longer needed")
    return raw


def _is_finished(release: Release, raw: Path, manifest: Path) -> bool:
    """Whether an earlier run ended well; a manifest that a kill prevented, or a workflow removed, is written again."""
    receipt = _receipt_of(manifest)
    if raw.is_dir() and receipt.is_file() and not manifest.exists():
        replace_file(manifest, receipt.read_bytes())
    if manifest.is_file():
        there = _read_manifest(manifest)
        if there != release.word:
            raise BadInput(
                manifest, expected=f"a download of {release.word}", found=there, fix="choose another folder with --to"
            )
        return raw.is_dir() and any(raw.iterdir())
    if raw.exists():
        raise BadInput(
            raw,
            expected="no such folder, or one that this command finished",
            found="files of unknown origin",
            fix="move it away, or let `handbench doctor` look at it and use it as data already at hand",
        )
    return False


def _read_manifest(manifest: Path) -> str:
    holds, fix = "the manifest of a download", "delete it and run again"
    content = read_object(manifest, holds=holds, fix=fix)
    if "dataset" not in content:
        raise BadInput(manifest, expected=holds, found="no dataset in it", fix=fix)
    return str(content["dataset"])


def _place_of(archive: Archive, to: Path) -> Path:
    """Where an archive is kept; one that someone put into `to` itself is taken as well."""
    loose = to / archive.name
    return loose if loose.is_file() else to / "archives" / archive.name


def _bring_archive(archive: Archive, release: Release, to: Path, mirrors: Sequence[str], patience: Patience) -> None:
    place = _place_of(archive, to)
    expected = Expected("archive", archive.sha256, archive.size_bytes)
    if place.is_file():
        print(f"{place} is there already; checking it")
        check_file(place, expected, where=place)
        return
    addresses = [_below(mirror, archive.name) for mirror in mirrors] + list(archive.addresses)
    missing = [_place_of(one, to) for one in release.archives if not _place_of(one, to).is_file()]
    names, places = " and ".join(one.name for one in missing), " and ".join(str(one) for one in missing)
    by_hand = f"get {names} from {release.page} by hand and put it at {places}, then run the same command again"
    if not addresses:
        raise BadInput(archive.name, expected="an address", found="none: the page hands the file out", fix=by_hand)
    _fetch_any(addresses, place, expected, patience, by_hand)


def _fetch_any(addresses: Sequence[str], place: Path, expected: Expected, patience: Patience, by_hand: str) -> None:
    """The first address that gives the file; where none does, one line says why of each and what to do."""
    faults = []
    for address in addresses:
        print(f"fetching {address}", flush=True)
        try:
            patience.fetch(address, place, expected)
            return
        except DeadAddress as dead:
            print(f"  {dead}", flush=True)
            faults.append(f"{dead.found} at {dead.where}")
    raise BadInput(place.name, expected="an address that gives it", found="; ".join(faults), fix=by_hand)


def _below(mirror: str, name: str) -> str:
    """The address of `name` on a mirror, which may also be the address of the archive itself."""
    remote = "://" in mirror
    if mirror.split("?")[0].endswith(name.rsplit("/", 1)[-1]):
        return mirror
    return f"{mirror.rstrip('/')}/{quote(name) if remote else name}"


def _unpack_all(release: Release, places: Sequence[Path], raw: Path, manifest: Path) -> int:
    print(f"checking and unpacking into {raw}", flush=True)
    digests = [_digest(place) for place in places]
    checked = raw.with_name("raw.checked")
    clear(checked)
    homes = [archive.home for archive in release.archives]
    try:
        unpacked = unpack(list(zip(places, homes, strict=True)), checked)
        _check_tree(release, places, checked)
    except BadArchive as fault:
        clear(checked)
        bad = Path(fault.where).replace(f"{fault.where}.bad")
        fix = f"the archive was set aside as {bad}; run again to fetch it anew, or put a whole one at {fault.where}"
        raise BadInput(fault.where, expected=fault.expected, found=fault.found, fix=fix) from None
    content = _describe(release) | {
        "archives": [
            {"name": place.name, "bytes": place.stat().st_size, "sha256": digest}
            for place, digest in zip(places, digests, strict=True)
        ],
        "files": unpacked.files,
        "bytes": unpacked.size_bytes,
    }
    # Receipt, folder, manifest: wherever a kill falls, the next run can tell what is complete.
    written = _write_out(content)
    replace_file(_receipt_of(manifest), written)
    checked.rename(raw)
    replace_file(manifest, written)
    return unpacked.files


def _check_tree(release: Release, places: Sequence[Path], checked: Path) -> None:
    """Refuse a readable archive of something else: under the right name it would pass for a finished dataset."""
    for archive, place in zip(release.archives, places, strict=True):
        home = checked / archive.home
        if archive.proof and not any((home / name).is_file() for name in archive.proof):
            wanted = f"{archive.home}/ of {release.title} with {' or '.join(archive.proof)}"
            raise _refuse_tree(place, wanted, f"none of them but {_name_tops(home)}")
    there = recognise(checked)
    wanted = f"the tree of {release.title}"
    if release.word not in there:
        found = " and ".join(RELEASES[word].title for word in there) or f"no dataset we know but {_name_tops(checked)}"
        raise _refuse_tree(places[0], wanted, found)
    if len(there) > 1:
        found = " and ".join(f"{RELEASES[word].title} in {there[word] or 'the top folder'}" for word in there)
        raise _refuse_tree(places[0], f"{wanted} alone", found)


def _refuse_tree(place: Path, wanted: str, found: str) -> BadArchive:
    return BadArchive(place, expected=wanted, found=found, fix="fetch it again from another place")


def _name_tops(folder: Path) -> str:
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    return to_printable(name_some(names))


def _describe(release: Release) -> dict[str, object]:
    return {
        "dataset": release.word,
        "source": "download",
        "citation": release.citation,
        "licence": release.licence,
        "page": release.page,
    }


def _receipt_of(manifest: Path) -> Path:
    return manifest.with_name("receipt.json")


def _write_out(content: dict[str, object]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download_published(release: Release, to: Path, mirrors: Sequence[str], patience: Patience) -> Path:
    """The record is small, so every run verifies every file and fetches what is not as it should be."""
    raw, manifest = to / "raw", to / "manifest.json"
    if manifest.is_file() and (there := _read_manifest(manifest)) != release.word:
        raise BadInput(manifest, expected="a download of published", found=there, fix="choose another folder with --to")
    check_disk(to, release.need_bytes, what=release.title)
    fetched = 0
    for entry in PUBLISHED:
        place = raw / entry.file
        expected = Expected("text", entry.sha256, entry.size_bytes)
        if place.is_file() and _is_sound(place, expected):
            continue
        manifest.unlink(missing_ok=True)
        addresses = [_below(mirror, entry.file) for mirror in mirrors] + [quote(entry.address, safe="/:+")]
        by_hand = f"get {entry.file} from {release.page} by hand and put it at {place}, then run the same command again"
        _fetch_any(addresses, place, expected, patience, by_hand)
        fetched += 1
    if not manifest.is_file():
        content = _describe(release) | {
            "files": [
                {"key": entry.key, "name": entry.file, "bytes": entry.size_bytes, "sha256": entry.sha256}
                for entry in PUBLISHED
            ]
        }
        replace_file(manifest, _write_out(content))
    print(f"{len(PUBLISHED)} files verified in {raw} ({fetched} fetched)")
    return raw


def _is_sound(place: Path, expected: Expected) -> bool:
    try:
        check_file(place, expected, where=place)
    except DeadAddress as fault:
        print(f"  {fault}: fetching it again", flush=True)
        return False
    return True
