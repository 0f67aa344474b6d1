"""One file over HTTP (or from a file:// or plain path), resumable after a cut line or a kill at any moment.

`<name>.part` holds the bytes so far and `<name>.part.json` says which version of the file they belong to; the
final name appears only after length, kind and checksum have been verified. pooch is not used here: it writes into
a temporary file of its own that it deletes when a transfer is cut, its downloader cannot continue one, and its
hashing is `hashlib.file_digest` with an import of 0.15 s.
"""

import errno
import fcntl
import hashlib
import http.client
import io
import json
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from handbench.datasets.byte_progress import ByteProgress
from handbench.errors import BadInput
from handbench.json_file import read_noted_object
from handbench.plain_file import check_plain

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 512
"""Enough to see the magic of zip, gzip and tar (at 257), or that a web page came instead."""
_PROGRESS_BYTES = 1 << 20
"""An attempt that brings less new data than this counts as a failure in a row."""
_LONGEST_WAIT_S = 30.0
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_LENGTH = re.compile(r"[0-9]{1,18}")
"""Longer ones are no lengths, and Python refuses to read numbers of thousands of digits."""
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class DeadAddress(BadInput):
    """This address does not give the file; another one may."""


class _PassingError(Exception):
    """A fault that passes: a cut line, a busy server."""


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is fetched."""

    kind: str = "any"
    """archive (zip, gzip or tar), text, or any."""
    sha256: str = ""
    size_bytes: int | None = None
    most_bytes: int | None = None
    """Of a file whose size nobody told."""

    @property
    def limit_bytes(self) -> int | None:
        return self.most_bytes if self.size_bytes is None else self.size_bytes


@dataclass(frozen=True)
class _Version:
    """Which bytes a .part file holds: a change in any of these means another file."""

    address: str
    etag: str
    modified: str
    size_bytes: int | None

    @property
    def recognisable(self) -> bool:
        """Whether a changed file would be noticed."""
        return self.size_bytes is not None and bool(self.etag or self.modified)


@dataclass(frozen=True)
class _Answer:
    """An open source: bytes from `start` on of a file of `version`."""

    stream: io.BufferedIOBase
    start: int
    version: _Version
    content_type: str


def fetch(
    address: str,
    target: Path,
    *,
    expected: Expected | None = None,
    attempts: int = 5,
    wait_s: float = 1.0,
    timeout_s: float = 30.0,
) -> Path:
    """Bring `address` to `target`, continuing a `.part` file where one lies there.

    `attempts` bounds the failures in a row that bring no new megabyte; `timeout_s` is the longest silence.
    """
    expected = expected or Expected()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with _hold(part) as file:
        most_bytes, failures = file.seek(0, os.SEEK_END), 0
        while True:
            try:
                _receive(address, file, part, expected, timeout_s)
                break
            except _PassingError as fault:
                # Measured against the most ever held, so that a server which starts over and cuts at the same
                # place does not look like progress.
                held_bytes = file.seek(0, os.SEEK_END)
                failures = 0 if held_bytes - most_bytes >= _PROGRESS_BYTES else failures + 1
                most_bytes = max(most_bytes, held_bytes)
                if failures >= attempts:
                    raise _dead(address, f"{fault} ({attempts} times in a row)") from None
                time.sleep(min(wait_s * 2 ** max(failures - 1, 0), _LONGEST_WAIT_S))
        check_file(part, expected, where=address, spoil=target)
        os.fsync(file.fileno())
        part.replace(target)
        _note_of(part).unlink(missing_ok=True)
    return target


def check_file(path: Path, expected: Expected, *, where: str | Path, spoil: Path | None = None) -> None:
    """Refuse a file of the wrong length, kind or checksum; with `spoil` it is renamed to `<spoil>.bad` first."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        fault = _fault_in_head(file.read(_HEAD_BYTES), expected.kind)
        wanted = f"a file of kind {expected.kind}" if expected.kind != "any" else "the file"
        if not fault and expected.size_bytes is not None and size_bytes != expected.size_bytes:
            wanted, fault = f"{expected.size_bytes:,} bytes", f"{size_bytes:,}"
        if not fault and expected.sha256:
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != expected.sha256:
                wanted, fault = f"sha256 {expected.sha256}", f"sha256 {found}"
    if not fault:
        return
    fix = "fetch the file again or from another place"
    if spoil is not None:
        bad = spoil.with_name(spoil.name + ".bad")
        path.replace(bad)
        _note_of(path).unlink(missing_ok=True)
        fix = f"the file was set aside as {bad}; run again, or use another mirror"
    raise DeadAddress(where, expected=wanted, found=fault, fix=fix)


def check_disk(folder: Path, need_bytes: int, *, what: str) -> None:
    """Refuse to begin what will not fit."""
    standing = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free_bytes = shutil.disk_usage(standing).free
    if free_bytes < need_bytes:
        raise BadInput(
            folder,
            expected=f"{need_bytes / 1e9:,.1f} GB free for {what}",
            found=f"{free_bytes / 1e9:,.1f} GB",
            fix="free some space or choose a folder on a larger disk with --to",
        )


def held_bytes(target: Path) -> int:
    """How much of `target` is already on disk, whole or in part."""
    places = (target, target.with_name(target.name + ".part"))
    return sum(place.stat().st_size for place in places if place.is_file())


def _receive(address: str, file: io.FileIO, part: Path, expected: Expected, timeout_s: float) -> None:
    """Append what is missing; returns with all bytes in `file`, raises `_PassingError` when the line was cut."""
    held, size_bytes = _read_note(part), file.seek(0, os.SEEK_END)
    if held is not None and (held.address != address or not (held.recognisable or expected.sha256)):
        held = None
    if held is not None and held.size_bytes is not None and size_bytes >= held.size_bytes > 0:
        # All of it came, and only the renaming was missed; a surplus shows in the check that follows.
        return
    answer = _open(address, size_bytes if held is not None else 0, held, timeout_s)
    with answer.stream:
        version = answer.version
        if expected.kind != "any" and "html" in answer.content_type:
            raise _dead(address, "a web page", expected=f"a file of kind {expected.kind}")
        if version.size_bytes is not None and expected.size_bytes not in (None, version.size_bytes):
            raise _dead(address, f"{version.size_bytes:,} bytes", expected=f"{expected.size_bytes:,} bytes")
        limit_bytes = expected.limit_bytes
        if limit_bytes is not None and (version.size_bytes or 0) > limit_bytes:
            raise _dead(address, f"{version.size_bytes:,} bytes", expected=f"at most {limit_bytes:,} bytes")
        if answer.start and (held is None or answer.start != size_bytes or version != held):
            # Another version than the bytes at hand: the next attempt asks for the whole file.
            _note_of(part).unlink(missing_ok=True)
            raise _PassingError("the file changed on the server")
        head = b""
        if not answer.start:
            head = _reading(answer.stream.read, _HEAD_BYTES)
            # An answer that was cut within its own headers announces no length and has no body.
            if len(head) < min(_HEAD_BYTES, 1 if version.size_bytes is None else version.size_bytes):
                raise _PassingError("cut in the first bytes")
            if fault := _fault_in_head(head, expected.kind):
                raise _dead(address, fault, expected=f"a file of kind {expected.kind}")
            file.truncate(0)
            _write_note(part, version)
        _copy(answer, head, file, part, limit_bytes)


def _copy(answer: _Answer, head: bytes, file: io.FileIO, part: Path, limit_bytes: int | None) -> None:
    size_bytes = answer.version.size_bytes
    done_bytes = answer.start
    if size_bytes is not None:
        check_disk(part.parent, size_bytes - done_bytes, what=part.stem)
    read = getattr(answer.stream, "read1", answer.stream.read)
    with ByteProgress(part.stem, total=size_bytes, done=done_bytes) as progress:
        chunk = head or _reading(read, _CHUNK_BYTES)
        while chunk:
            done_bytes += len(chunk)
            if limit_bytes is not None and done_bytes > limit_bytes:
                # Nothing of it is of use; an empty part goes when the file is let go.
                file.truncate(0)
                raise _dead(answer.version.address, "more", expected=f"at most {limit_bytes:,} bytes")
            _write(file, chunk, part)
            progress.advance(len(chunk))
            if size_bytes is not None and done_bytes >= size_bytes:
                break
            chunk = _reading(read, _CHUNK_BYTES)
    if size_bytes is not None and done_bytes != size_bytes:
        raise _PassingError(f"cut after {done_bytes:,} of {size_bytes:,} bytes")


def _reading(read: Callable[[int], bytes], count: int) -> bytes:
    try:
        return read(count)
    except http.client.IncompleteRead as error:
        raise _PassingError(f"cut in a block: {error}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _PassingError(str(error) or type(error).__name__) from None


def _write(file: io.FileIO, chunk: bytes, part: Path) -> None:
    try:
        # An unbuffered file may take less than it is given when the disk fills.
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        fix = "free some space and run again: it continues where it stopped"
        raise BadInput(part, expected="room to write", found=os.strerror(error.errno or errno.EIO), fix=fix) from None


def _open(address: str, offset: int, held: _Version | None, timeout_s: float) -> _Answer:
    try:
        scheme = urlsplit(address).scheme
        if scheme in ("http", "https"):
            return _open_http(address, offset, held, timeout_s)
        if scheme in ("", "file"):
            return _open_local(address, offset)
    except (ValueError, http.client.InvalidURL) as error:
        # From this address or from one that it redirects to: brackets, ports and host names that cannot be.
        raise _dead(address, f"one that makes no sense ({error})", expected="an address") from None
    raise _dead(address, f"the scheme {scheme}", expected="http, https, file or a plain path")


def _open_local(address: str, offset: int) -> _Answer:
    path = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address)
    if path.exists() and not path.is_file():
        raise _dead(address, "not a plain file")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _dead(address, os.strerror(error.errno or errno.EIO)) from None
    status = path.stat()
    stream.seek(offset)
    return _Answer(stream, offset, _Version(address, "", str(status.st_mtime_ns), status.st_size), "")


def _open_http(address: str, offset: int, held: _Version | None, timeout_s: float) -> _Answer:
    # Identity: a length and a range must count the bytes that land on disk.
    headers = {"User-Agent": "handbench", "Accept-Encoding": "identity"}
    if offset and held is not None:
        headers["Range"] = f"bytes={offset}-"
        validator = held.modified if held.etag.startswith("W/") or not held.etag else held.etag
        if validator:
            headers["If-Range"] = validator
    request = urllib.request.Request(quote(address, safe="/:?=&%+~@#,;!()'*$[]"), headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset and held is not None:
            # More bytes here than there: drop the validator so that the next attempt asks for the whole file.
            return _open_http(address, 0, None, timeout_s)
        if error.code in _RETRIED_STATUS:
            raise _PassingError(f"HTTP {error.code}") from None
        raise _dead(address, f"HTTP {error.code} {error.reason}") from None
    except http.client.InvalidURL:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _fault_of(address, error) from None
    return _read_answer(address, response)


def _read_answer(address: str, response: http.client.HTTPResponse) -> _Answer:
    start, length = 0, response.headers.get("Content-Length", "")
    size_bytes = int(length) if _LENGTH.fullmatch(length) else None
    if size_bytes is None and length.isdecimal():
        response.close()
        raise _dead(address, f"an announced length of {len(length):,} digits")
    if response.status == 206:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if match is None:
            response.close()
            raise _dead(address, "a partial answer that does not say which part it is")
        start = int(match[1])
        size_bytes = int(match[2]) if match[2] != "*" else None
    version = _Version(address, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""), size_bytes)
    return _Answer(response, start, version, response.headers.get("Content-Type", "").lower())


def _fault_of(address: str, error: Exception) -> Exception:
    """Sort the faults of opening a connection into those that pass and those that do not."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        return _dead(address, f"no host of that name ({reason.strerror}); is this machine online?")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _dead(address, f"a certificate that does not verify ({reason.verify_message})")
    return _PassingError(str(reason) or type(reason).__name__)


def _fault_in_head(head: bytes, kind: str) -> str:
    """What is wrong with a file that begins like this; empty when nothing is."""
    if not head:
        return "" if kind == "any" else "an empty file"
    if kind != "any" and re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", head, re.IGNORECASE):
        return "a web page"
    if kind == "archive" and not (head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")) or _is_tar(head)):
        return f"a file that begins with {head[:8]!r}, neither zip nor tar nor gzip"
    if kind == "text" and b"\0" in head:
        return "a binary file"
    return ""


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _dead(address: str, found: str, *, expected: str = "the file") -> DeadAddress:
    return DeadAddress(_tidy(address), expected=expected, found=_tidy(found), fix="use another mirror")


def _tidy(text: str) -> str:
    """What a server says may hold line breaks; an error is one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Version | None:
    try:
        return _Version(**read_noted_object(_note_of(part)))
    except TypeError:
        # No note, or one that a kill cut short: the bytes at hand are of unknown origin.
        return None


def _write_note(part: Path, version: _Version) -> None:
    fresh = part.with_name(part.name + ".json.new")
    fresh.write_text(json.dumps(asdict(version)))
    fresh.replace(_note_of(part))


@contextmanager
def _hold(part: Path) -> Iterator[io.FileIO]:
    """The part file, open for appending without a buffer and locked against a second download."""
    for place in (part, _note_of(part)):
        if os.path.lexists(place):
            check_plain(place, holds="the beginning of a download", fix="delete it and run again")
    with part.open("ab", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The other process may have removed its empty part between our opening and our locking it.
            if not os.fstat(file.fileno()).st_nlink:
                raise OSError
        except OSError:
            fix = "wait for the other download of this file to end"
            raise BadInput(part, expected="a file of our own", found="one in use by another process", fix=fix) from None
        try:
            yield file
        finally:
            # A refused address brought nothing: an empty part would look like the beginning of a file.
            if not os.fstat(file.fileno()).st_size:
                part.unlink(missing_ok=True)
                _note_of(part).unlink(missing_ok=True)
