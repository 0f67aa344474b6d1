"""Unpack a zip or tar(.gz) that nobody vouches for: no path leaves the folder, nothing half-unpacked looks whole.

Members are written into `<into>.partial`, which is renamed when the last one is in place. Links are never made: a
link to a regular file that stands earlier in the archive becomes a copy of it, any other is refused.
"""

import errno
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from handbench.errors import BadInput
from handbench.plain_file import check_plain

_CHUNK_BYTES = 1 << 20
_MOST_MEMBERS = 5_000_000
"""NYU, the largest, has about 730 thousand."""
_KEEP_FREE_BYTES = 256 << 20
_ZIP_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_OTHER_KINDS = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"<!DO": "a web page",
    b"<htm": "a web page",
}
_DISK_FAULTS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG, errno.EPERM, errno.EIO, errno.ENOENT}
)
"""What the disk or the folder is to blame for; every other refusal comes from the names inside the archive."""
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Unpacked:
    """What came out."""

    files: int
    size_bytes: int


class BadArchive(BadInput):
    """The archive itself is at fault, not the folder or the disk it is unpacked to."""


class _ArchiveError(Exception):
    """What is wrong with the archive, in the words of the final error."""


def unpack(archives: Sequence[tuple[Path, str]], into: Path, *, most_bytes: int | None = None) -> Unpacked:
    """Unpack each (archive, home) into `into`, which must not exist and appears only when all are complete.

    Where an archive does not bring `home` as its top folder, its files are put into a folder of that name.
    `most_bytes` bounds what is written; without it the free disk does.
    """
    if into.exists():
        raise BadInput(into, expected="no folder of that name yet", found="one", fix="move it away")
    partial = into.with_name(into.name + ".partial")
    clear(partial)
    partial.mkdir(parents=True)
    if most_bytes is None:
        most_bytes = max(shutil.disk_usage(partial).free - _KEEP_FREE_BYTES, 0)
    files = size_bytes = 0
    try:
        for archive, home in archives:
            came = _unpack_one(archive, partial, home, most_bytes - size_bytes)
            files, size_bytes = files + came.files, size_bytes + came.size_bytes
    except BaseException:
        clear(partial)
        raise
    partial.rename(into)
    return Unpacked(files, size_bytes)


def _unpack_one(archive: Path, partial: Path, home: str, most_bytes: int) -> Unpacked:
    check_plain(archive, holds="an archive", fix="fetch it again")
    staging = partial / ".unpacking"
    staging.mkdir()
    with _telling(archive):
        with archive.open("rb") as file:
            head = file.read(512)
        writer = _Writer(staging, most_bytes)
        if head.startswith(b"PK"):
            _unpack_zip(archive, writer)
        elif head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
            _unpack_tar(archive, writer, zipped=head.startswith(b"\x1f\x8b"))
        else:
            raise _ArchiveError(_OTHER_KINDS.get(head[:4], f"a file that begins with {head[:8]!r}"))
        if not writer.files:
            raise _ArchiveError("no file in it")
        _settle(staging, partial, home)
    return Unpacked(writer.files, writer.size_bytes)


def _settle(staging: Path, partial: Path, home: str) -> None:
    """Move the unpacked top level to its place."""
    tops = sorted(staging.iterdir())
    place = partial if not home or home in (top.name for top in tops) else partial / home
    place.mkdir(exist_ok=True)
    for top in tops:
        if (place / top.name).exists():
            raise _ArchiveError(f"{top.name}, which an earlier archive brought as well")
        top.rename(place / top.name)
    staging.rmdir()


class _Writer:
    """Writes members below one folder and keeps the sums."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self.files = self.members = self.size_bytes = 0

    def place_of(self, name: str) -> Path:
        """Where a member goes; a name that leads elsewhere is refused."""
        self.members += 1
        if self.members > _MOST_MEMBERS:
            raise _ArchiveError(f"more than {_MOST_MEMBERS:,} members")
        # Archives made on Windows may part folders with backslashes.
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not name or "\0" in name or name[:1] in "/\\" or ".." in parts or re.match("[A-Za-z]:", name):
            raise _ArchiveError(f"a member that leads out of the folder: {name!r}")
        return self.folder.joinpath(*parts)

    def promise(self, size_bytes: int) -> None:
        """Refuse a total that will not fit before it is written."""
        if self.size_bytes + size_bytes > self.most_bytes:
            total_gb, most_gb = (self.size_bytes + size_bytes) / 1e9, self.most_bytes / 1e9
            # The disk's fault as far as anyone can tell, so the archive is not condemned for it.
            raise OSError(errno.ENOSPC, f"{total_gb:,.3f} GB unpacked but {most_gb:,.3f} GB of room")

    def make_folder(self, name: str) -> None:
        self.place_of(name).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, read: Callable[[int], bytes], size_bytes: int) -> None:
        self.promise(size_bytes)
        place = self.place_of(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            while chunk := read(_CHUNK_BYTES):
                file.write(chunk)
            written_bytes = file.tell()
        if written_bytes != size_bytes:
            raise _ArchiveError(f"{name!r} with {written_bytes:,} of {size_bytes:,} bytes")
        self.files += 1
        self.size_bytes += written_bytes

    def copy(self, name: str, original: str) -> None:
        """What a link becomes."""
        source = self.place_of(os.path.normpath(original))
        if not source.is_file():
            raise _ArchiveError(
                f"a link to something that is not a file earlier in the archive: {name!r} -> {original!r}"
            )
        with source.open("rb") as file:
            self.write(name, file.read, source.stat().st_size)


def _unpack_zip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as bundle:
        members = bundle.infolist()
        writer.promise(sum(member.file_size for member in members))
        _check_names(members)
        for member in members:
            _check_zip_member(member)
        for member in members:
            if member.is_dir() or member.filename.endswith("\\"):
                writer.make_folder(member.filename)
                continue
            with bundle.open(member) as source:
                writer.write(member.filename, source.read, member.file_size)


def _check_names(members: Sequence[zipfile.ZipInfo]) -> None:
    """A zip names each file once; in a tar a later member of the same name is an update, which is lawful."""
    seen: set[PurePosixPath] = set()
    for member in members:
        if not member.filename:
            raise _ArchiveError("a member without a name")
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if member.is_dir() or member.filename.endswith("\\"):
            continue
        if place in seen:
            raise _ArchiveError(f"two members of one name: {member.filename!r}")
        seen.add(place)


def _check_zip_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 0x1:
        raise _ArchiveError(f"an encrypted member: {member.filename!r}")
    if member.compress_type not in _ZIP_METHODS:
        raise _ArchiveError(f"a member packed with the unknown method {member.compress_type}: {member.filename!r}")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _ArchiveError(f"a link or device: {member.filename!r}")


def _unpack_tar(archive: Path, writer: _Writer, *, zipped: bool) -> None:
    with gzip.open(archive) if zipped else archive.open("rb") as stream:
        # In stream mode tarfile reads forward only, so one pass both checks and unpacks.
        with tarfile.open(fileobj=stream, mode="r|") as bundle:
            for member in bundle:
                _unpack_tar_member(bundle, member, writer)
            ended = _ends_in_zeros(bundle)
        if not ended:
            raise _ArchiveError("no end mark: the archive was cut between two members")
        # gzip checks its own sum only when it is read to the end.
        while stream.read(_CHUNK_BYTES):
            pass


def _ends_in_zeros(bundle: tarfile.TarFile) -> bool:
    """Whether a tar really ended: without its block of zeros it was cut, which tarfile itself lets pass."""
    return bundle.fileobj is not None and bundle.fileobj.tell() > bundle.offset


def _unpack_tar_member(bundle: tarfile.TarFile, member: tarfile.TarInfo, writer: _Writer) -> None:
    if member.isdir():
        writer.make_folder(member.name)
    elif member.isreg():
        source = bundle.extractfile(member)
        if source is None:
            raise _ArchiveError(f"a member that cannot be read: {member.name!r}")
        writer.write(member.name, source.read, member.size)
    elif member.islnk():
        writer.copy(member.name, member.linkname)
    elif member.issym():
        if member.linkname.startswith("/"):
            raise _ArchiveError(f"a link that leads out of the folder: {member.name!r} -> {member.linkname!r}")
        writer.copy(member.name, str(PurePosixPath(member.name).parent / member.linkname))
    else:
        raise _ArchiveError(f"a device or pipe: {member.name!r}")


@contextmanager
def _telling(archive: Path) -> Iterator[None]:
    """Turn every way an archive can fail into one line."""
    try:
        yield
    except _ArchiveError as fault:
        found = str(fault)
    except _BROKEN as fault:
        found = f"a truncated or damaged one ({str(fault) or type(fault).__name__})"
    except (RuntimeError, ValueError, NotImplementedError) as fault:
        # zipfile and tarfile raise these for encrypted members and headers that make no sense.
        found = f"one that cannot be read ({fault})"
    except OSError as fault:
        found = fault.strerror or str(fault)
        if fault.errno in _DISK_FAULTS:
            fix = "free some space or check the folder, then run again"
            raise BadInput(archive, expected="room to unpack", found=found, fix=fix) from None
        found = f"one whose members cannot be written ({found}{_name_member(fault)})"
    else:
        return
    fix = "fetch it again; it may be cut short, or not what its name says"
    raise BadArchive(archive, expected="an archive whose files stay in one folder", found=found, fix=fix) from None


def _name_member(fault: OSError) -> str:
    """The end of the name that could not be written, as long as a line can bear."""
    name = Path(fault.filename).name if isinstance(fault.filename, str) else ""
    return f": {name[:60]!r}{' and so on' if len(name) > 60 else ''}" if name else ""


def clear(partial: Path) -> None:
    """Remove what an interrupted run left."""
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    elif partial.exists():
        shutil.rmtree(partial)
