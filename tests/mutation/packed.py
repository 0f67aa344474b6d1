"""Archives that somebody has built to do harm, or that lie about themselves: zip, tar and tar.gz rewritten."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from random import Random

from tests.mutation.damage import Damage

ESCAPES = (
    *(
        "../escaped.txt",
        "../../escaped.txt",
        "/escaped.txt",
        "a/../../escaped.txt",
        "..\\escaped.txt",
        "C:\\escaped.txt",
    ),
    *("\\\\host\\escaped.txt", "a/./../../escaped.txt", "~/escaped.txt", ".", "..", "", "a\0b", "x" * 300, "x/" * 3000),
    *("new\nline.txt", "\x1b[31m.txt", "é.txt", "CON", " ", "a//b.txt", "./a.txt"),
)
"""Names that lead out of the folder, or that some system cannot write."""


def read_zip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        return {member.filename: bundle.read(member) for member in bundle.infolist()}


def change_zip(random: Random, content: bytes) -> bytes:
    """One member more, which no honest archive has."""
    members = read_zip(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, body in members.items():
            bundle.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
        kind = random.randrange(6)
        odd = zipfile.ZipInfo("odd")
        if kind <= 1:
            odd.filename = random.choice(ESCAPES)
            bundle.writestr(odd, b"out")
        elif kind == 2:
            odd.external_attr = random.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR)) << 16
            bundle.writestr(odd, b"/etc/passwd")
        elif kind == 3:  # twice the same name, or a file where a folder is
            odd.filename = random.choice([*members, f"{next(iter(members))}/below"])
            bundle.writestr(odd, b"other")
        elif kind == 4:
            bundle.writestr(odd, bytes(2_000_000), zipfile.ZIP_DEFLATED)
        else:
            bundle.writestr(odd, b"x", zipfile.ZIP_DEFLATED)
    packed = buffer.getvalue()
    return _lie(random, packed) if kind == 5 else packed


def _lie(random: Random, packed: bytes) -> bytes:
    """A directory entry with another size, method, flag or place."""
    at = packed.rfind(b"PK\x01\x02")
    field = random.choice((8, 10, 16, 20, 24, 28, 30, 32, 42))
    word = random.choice((b"\xff\xff", b"\x01\x00", b"\x63\x00", b"\x00\x00", b"\xff\x7f"))
    return packed[: at + field] + word + packed[at + field + 2 :]


def change_tar(random: Random, content: bytes) -> bytes:
    """The same of a tar, which has links and devices of its own."""
    zipped = content.startswith(b"\x1f\x8b")
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as source,
        tarfile.open(fileobj=buffer, mode="w", format=random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as out,
    ):
        for member in source:
            out.addfile(member, source.extractfile(member) if member.isreg() else None)
        _add_odd(random, out, source.getnames())
    packed = buffer.getvalue()
    if random.random() < 0.2:  # a header that lies about its size; the sum of the header is wrong with it
        at = 512 * random.randrange(max(1, len(packed) // 512)) + 124
        packed = (
            packed[:at]
            + random.choice((b"77777777777\0", b"-0000000001\0", b"\x80" + bytes(10) + b"\xff"))
            + (packed[at + 12 :])
        )
    return gzip.compress(packed, mtime=0) if zipped else packed


def _add_odd(random: Random, out: tarfile.TarFile, names: list[str]) -> None:
    odd = tarfile.TarInfo("odd")
    kind = random.randrange(5)
    if kind == 0:
        odd.name = random.choice([name for name in ESCAPES if "\0" not in name])
    elif kind <= 2:
        odd.type = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE))
        odd.linkname = random.choice((*ESCAPES[:8], "/etc/passwd", "odd", *names))
    elif kind == 3:
        odd.type = random.choice((tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, b"Z"))
    else:
        odd.name = random.choice([*names, f"{names[-1]}/below"])
    body = b"out" if odd.isreg() else b""
    odd.size = len(body)
    out.addfile(odd, io.BytesIO(body))


def bomb(random: Random, content: bytes) -> bytes:
    """Far more zeros than anybody expects."""
    return _pack_zeros(content.startswith(b"PK"))


@cache
def _pack_zeros(as_zip: bool) -> bytes:
    buffer, zeros = io.BytesIO(), bytes(60_000_000)
    if as_zip:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("zeros", zeros)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        member = tarfile.TarInfo("zeros")
        member.size = len(zeros)
        out.addfile(member, io.BytesIO(zeros))
    return buffer.getvalue()


def _only(change: Callable[[Random, bytes], bytes]) -> tuple[Damage, ...]:
    return (change, change, change, change, bomb)


ZIP, TAR = _only(change_zip), _only(change_tar)
