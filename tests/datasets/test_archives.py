"""Archives nobody vouches for: nothing lands outside the folder, nothing half-unpacked looks whole."""

import errno
import gzip
import io
import os
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from handbench.datasets.archives import BadArchive, Unpacked, unpack
from handbench.errors import BadInput

NOISE = random.Random(0).randbytes(100_000)
FILES = {"P0/1/joint.txt": b"500\n", "P0/1/000000_depth.bin": NOISE, "readme.txt": b""}


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], *extra: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as bundle:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
        for member in extra:
            bundle.addfile(member)
    return path


def make_link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive: Path, tmp_path: Path, match: str, **limits: int) -> None:
    before = read_tree(tmp_path)
    with pytest.raises(BadInput, match=match) as caught:
        unpack([(archive, "")], tmp_path / "out" / "raw", **limits)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())
    assert read_tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["zip", "stored zip", "tar.gz", "tar"])
def test_round_trip(tmp_path: Path, kind: str) -> None:
    archive = {
        "zip": lambda: make_zip(tmp_path / "a", FILES),
        "stored zip": lambda: make_zip(tmp_path / "a", FILES, zipfile.ZIP_STORED),
        "tar.gz": lambda: make_tar(tmp_path / "a", FILES),
        "tar": lambda: make_tar(tmp_path / "a", FILES, mode="w"),
    }[kind]()
    assert unpack([(archive, "")], tmp_path / "raw") == Unpacked(3, 100_004)
    assert read_tree(tmp_path / "raw") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "raw"]


def test_windows_folders(tmp_path: Path) -> None:
    unpack([(make_zip(tmp_path / "a.zip", {"P0\\1\\joint.txt": b"1"}), "")], tmp_path / "raw")
    assert read_tree(tmp_path / "raw") == {"P0/1/joint.txt": b"1"}


def test_homes_keep_two_archives_apart(tmp_path: Path) -> None:
    flat = make_tar(tmp_path / "one.tar.gz", {"labels.txt": b"a", "Depth/x.png": b"b"})
    nested = make_tar(tmp_path / "two.tar.gz", {"Testing/test_seq_1.txt": b"c"})
    unpack([(flat, "Training"), (nested, "Testing")], tmp_path / "raw")
    assert read_tree(tmp_path / "raw") == {
        "Training/labels.txt": b"a",
        "Training/Depth/x.png": b"b",
        "Testing/test_seq_1.txt": b"c",
    }


def test_two_archives_that_bring_the_same_folder(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    with pytest.raises(BadArchive, match="which an earlier archive brought as well"):
        unpack([(archive, ""), (archive, "")], tmp_path / "raw")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


ESCAPES = ("../evil", "a/../../evil", "/tmp/evil", "..\\evil", "\\evil", "C:/evil", "a/..")


@pytest.mark.parametrize("name", ESCAPES)
def test_zip_path_escape(tmp_path: Path, name: str) -> None:
    refuse(make_zip(tmp_path / "a.zip", FILES | {name: b"evil"}), tmp_path, "leads out of the folder")


@pytest.mark.parametrize("name", ESCAPES)
def test_tar_path_escape(tmp_path: Path, name: str) -> None:
    refuse(make_tar(tmp_path / "a.tar.gz", FILES | {name: b"evil"}), tmp_path, "leads out of the folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "..", "not-there", "P0"])
def test_tar_link_escape(tmp_path: Path, kind: bytes, target: str) -> None:
    archive = make_tar(tmp_path / "a.tar", FILES, make_link("link", target, kind), mode="w")
    refuse(archive, tmp_path, "leads out of the folder|not a file earlier in the archive")


def test_tar_writing_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = make_link("door", str(tmp_path / "outside"), tarfile.SYMTYPE)
    archive = make_tar(tmp_path / "a.tar", {}, link, mode="w")
    with tarfile.open(archive, "a") as bundle:
        member = tarfile.TarInfo("door/evil")
        bundle.addfile(member, io.BytesIO(b""))
    refuse(archive, tmp_path, "leads out of the folder")


def test_tar_links_to_earlier_files_become_copies(tmp_path: Path) -> None:
    links = (
        make_link("P0/1/a", "../../readme.txt", tarfile.SYMTYPE),
        make_link("b", "P0/1/joint.txt", tarfile.LNKTYPE),
    )
    unpack([(make_tar(tmp_path / "a.tar", FILES, *links, mode="w"), "")], tmp_path / "raw")
    assert read_tree(tmp_path / "raw") == FILES | {"P0/1/a": b"", "b": b"500\n"}
    assert not (tmp_path / "raw" / "P0" / "1" / "a").is_symlink()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_device(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar", FILES, make_link("null", "", kind), mode="w")
    refuse(archive, tmp_path, "a device or pipe")


def test_zip_symlink(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        member = zipfile.ZipInfo("link")
        member.external_attr = 0o120777 << 16
        bundle.writestr(member, "/etc/passwd")
    refuse(tmp_path / "a.zip", tmp_path, "a link or device")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_truncated(tmp_path: Path, kind: str, part: float) -> None:
    path = tmp_path / f"a.{kind}"
    whole = make_zip(path, FILES) if kind == "zip" else make_tar(path, FILES, mode="w" if kind == "tar" else "w:gz")
    content = whole.read_bytes()
    # tar pads its end with zeros that do not count.
    content = content[: 102_912 if kind == "tar" else None]
    whole.write_bytes(content[: int(len(content) * part)])
    refuse(whole, tmp_path, "truncated or damaged|no end mark|begins with")


def test_tar_cut_between_two_members(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", {"a": b"x" * 512, "b": b"y" * 512}, mode="w")
    archive.write_bytes(archive.read_bytes()[:1024])
    refuse(archive, tmp_path, "no end mark")


def test_gzip_with_a_wrong_sum(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", FILES)
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1
    archive.write_bytes(content)
    refuse(archive, tmp_path, "truncated or damaged")


def test_zip_with_a_wrong_sum(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"noise": NOISE}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[5000] ^= 1
    archive.write_bytes(content)
    refuse(archive, tmp_path, "truncated or damaged .*CRC")


def test_encrypted_zip(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a": b"a"}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refuse(archive, tmp_path, "an encrypted member")


def test_unknown_zip_method(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a": b"a"}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] = 98
    archive.write_bytes(content)
    refuse(archive, tmp_path, "unknown method 98")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bomb_is_bounded_by_the_disk(tmp_path: Path, kind: str) -> None:
    files = {"small": b"a", "zeros": bytes(5_000_000)}
    archive = make_zip(tmp_path / "a", files) if kind == "zip" else make_tar(tmp_path / "a", files)
    assert archive.stat().st_size < 20_000
    refuse(archive, tmp_path, r"0.005 GB unpacked but 0.001 GB of room", most_bytes=1_000_000)
    with pytest.raises(BadInput) as caught:
        unpack([(archive, "")], tmp_path / "raw", most_bytes=1_000_000)
    assert not isinstance(caught.value, BadArchive)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with b''"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"PK", "truncated or damaged"),
        (gzip.compress(b"no tar", mtime=0), "truncated or damaged"),
        (gzip.compress(b"", mtime=0), "truncated or damaged|no end mark|no file in it"),
        (NOISE, "begins with"),
    ],
)
def test_junk(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "junk.zip").write_bytes(content)
    refuse(tmp_path / "junk.zip", tmp_path, said)


def test_empty_archives(tmp_path: Path) -> None:
    refuse(make_zip(tmp_path / "a.zip", {}), tmp_path, "no file in it")
    refuse(make_tar(tmp_path / "a.tar.gz", {}), tmp_path, "no file in it")


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a/b/", "a"), ("n" * 300,), ("x/" + "n" * 300 + "/y",)])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_no_folder_can_hold(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path], names: tuple[str, ...]
) -> None:
    """The archive's fault: no free space would help."""
    archive = make(tmp_path / "a", {name: b"" if name.endswith("/") else b"1" for name in names})
    (tmp_path / "out").mkdir()
    with pytest.raises(BadArchive, match="members cannot be written") as caught:
        unpack([(archive, "")], tmp_path / "out" / "raw")
    assert len(str(caught.value)) < 500
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("twice", ["P0/1/joint.txt", "P0//1/joint.txt", "P0\\1\\joint.txt"])
def test_zip_with_two_entries_of_one_name(tmp_path: Path, twice: str) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(archive, "a") as bundle, warnings.catch_warnings(action="ignore"):
        bundle.writestr(twice, b"other")
    refuse(archive, tmp_path, "two members of one name")


@pytest.mark.parametrize("fault", ["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EFBIG", "EPERM"])
def test_faults_of_the_disk_do_not_condemn_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def refuse_to_write(*_: object) -> None:
        raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)))

    monkeypatch.setattr("handbench.datasets.archives._Writer.write", refuse_to_write)
    with pytest.raises(BadInput, match="expected room to unpack") as caught:
        unpack([(make_zip(tmp_path / "a.zip", FILES), "")], tmp_path / "raw")
    assert not isinstance(caught.value, BadArchive)


def test_leftovers_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "raw.partial" / "old").mkdir(parents=True)
    unpack([(make_zip(tmp_path / "a.zip", FILES), "")], tmp_path / "raw")
    assert read_tree(tmp_path / "raw") == FILES
    assert not (tmp_path / "raw.partial").exists()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(BadInput, match="expected no folder of that name yet"):
        unpack([(make_zip(tmp_path / "a.zip", FILES), "")], tmp_path / "raw")
