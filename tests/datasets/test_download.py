"""Whole downloads: from mirrors, by hand, killed, refused, and run again."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import Loopback

from handbench.datasets import download as downloading
from handbench.datasets.doctor import examine
from handbench.datasets.download import Patience, download
from handbench.datasets.published import PUBLISHED
from handbench.datasets.registry import RELEASES
from handbench.errors import BadInput

PATIENCE = Patience(attempts=2, wait_s=0.01, timeout_s=5.0)
TREE = {f"Release_2014_5_28/Subject1/{i:06d}_depth.bin": os.urandom(100_000) for i in range(20)}


def zip_tree(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def tar_tree(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = zip_tree(TREE)
NAME = "Release_2014_5_28.zip"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Loopback() as loopback:
        yield loopback


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_unfinished(to: Path) -> None:
    assert not (to / "manifest.json").exists()
    assert not (to / "raw").exists()


def test_from_a_mirror(server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.serve(NAME, ARCHIVE, "cut:500000")
    raw = download("msra14", tmp_path / "to", mirrors=[server.address], patience=PATIENCE)
    assert raw == tmp_path / "to" / "raw"
    assert read_tree(raw) == TREE
    said = capsys.readouterr().out
    assert "Qian et al." in said
    assert "licence  none stated" in said
    manifest = json.loads((tmp_path / "to" / "manifest.json").read_text())
    assert manifest["dataset"] == "msra14"
    assert manifest["files"] == 20
    assert manifest["archives"] == [
        {"name": NAME, "bytes": len(ARCHIVE), "sha256": hashlib.sha256(ARCHIVE).hexdigest()}
    ]
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [
        "archives",
        "manifest.json",
        "raw",
        "receipt.json",
    ]


def test_second_run_does_nothing(server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.serve(NAME, ARCHIVE)
    download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    (tmp_path / "archives" / NAME).unlink()
    before = len(server.requests)
    download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    assert len(server.requests) == before
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["{}", "file://{}", "{}/" + NAME, "file://{}/" + NAME])
def test_from_a_folder(tmp_path: Path, form: str) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / NAME).write_bytes(ARCHIVE)
    assert read_tree(download("msra14", tmp_path / "to", mirrors=[form.format(mirror)], patience=PATIENCE)) == TREE


def test_mirrors_come_before_addresses_and_the_next_is_tried(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = downloading.Archive(NAME, addresses=(server.serve("upstream/" + NAME, ARCHIVE),))
    release = downloading.Release("msra14", "t", "c", "l", "https://page", (archive,))
    monkeypatch.setitem(RELEASES, "msra14", release)
    server.serve("mirror/" + NAME, ARCHIVE, "html")
    mirrors = [f"{server.address}/empty", f"{server.address}/mirror"]
    assert read_tree(download("msra14", tmp_path, mirrors=mirrors, patience=PATIENCE)) == TREE
    assert [path for path, _ in server.requests] == ["empty/" + NAME, "mirror/" + NAME, "upstream/" + NAME]


@pytest.mark.parametrize("word", ["html", "sly-html", "404", "500", "cut:300", "cut:900000"])
def test_nothing_half_done_after_a_failure(server: Loopback, tmp_path: Path, word: str) -> None:
    server.serve(NAME, ARCHIVE, *[word] * 2, "404")
    with pytest.raises(BadInput) as caught:
        download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    assert_unfinished(tmp_path)
    assert not (tmp_path / "archives" / NAME).exists()
    said = str(caught.value)
    assert "\n" not in said
    assert "https://jimmysuen.github.io/" in said
    assert str(tmp_path / "archives" / NAME) in said
    server.files[NAME].script.clear()
    assert read_tree(download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)) == TREE


def test_without_any_address_the_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"hand.html by hand and put it at .*/archives/Training.tar.gz and .*Testing.tar.gz, then"
    ):
        download("icvl", tmp_path, patience=PATIENCE)
    assert_unfinished(tmp_path)


@pytest.mark.parametrize("folder", ["archives", "."])
def test_archives_put_there_by_hand(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "Training.tar.gz").write_bytes(tar_tree({"labels.txt": b"a", "Depth/1/x.png": b"b"}))
    (tmp_path / folder / "Testing.tar.gz").write_bytes(tar_tree({"Testing/test_seq_1.txt": b"c"}))
    assert sorted(read_tree(download("icvl", tmp_path, patience=PATIENCE))) == [
        "Testing/test_seq_1.txt",
        "Training/Depth/1/x.png",
        "Training/labels.txt",
    ]


def test_web_page_put_there_by_hand(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"<!DOCTYPE html><html>not found</html>")
    with pytest.raises(BadInput, match="a web page"):
        download("msra14", tmp_path, patience=PATIENCE)
    assert_unfinished(tmp_path)


def test_truncated_archive_is_set_aside(server: Loopback, tmp_path: Path) -> None:
    # The server itself holds a truncated file, so its length and the transfer look right.
    server.serve(NAME, ARCHIVE[:-1000])
    with pytest.raises(BadInput, match=r"truncated or damaged .* set aside as .*\.zip\.bad"):
        download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    assert_unfinished(tmp_path)
    assert not (tmp_path / "archives" / NAME).exists()
    server.serve(NAME, ARCHIVE)
    assert read_tree(download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)) == TREE


def assert_set_aside(to: Path, fault: BadInput, name: str) -> None:
    """One line; the archive lies under another name, and nothing is taken for whole."""
    assert_unfinished(to)
    assert str(fault).isprintable()
    assert f"set aside as {to / 'archives' / name}.bad" in str(fault)
    assert sorted(str(path.relative_to(to)) for path in to.rglob("*")) == ["archives", f"archives/{name}.bad"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"README.txt": b"soon"}, "no dataset we know but README.txt"),
        ({"a/P0/1/joint.txt": b"0"}, "found MSRA15 Hand Gesture"),
        (TREE | {"b/train/joint_data.mat": b""}, "NYU Hand Pose in b and MSRA14 .* in Release_2014_5_28"),
    ],
)
def test_archive_of_something_else(server: Loopback, tmp_path: Path, files: dict[str, bytes], found: str) -> None:
    """It is readable and has the right name; the next run, with the right archive, succeeds."""
    server.serve(NAME, zip_tree(files))
    with pytest.raises(BadInput, match=f"expected the tree of MSRA14 .*{found}") as caught:
        download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    assert_set_aside(tmp_path, caught.value, NAME)
    server.serve(NAME, ARCHIVE)
    assert read_tree(download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)) == TREE


def test_the_second_archive_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    training = tmp_path / "archives/Training.tar.gz"
    training.write_bytes(tar_tree({"labels.txt": b"a", "Depth/1/x.png": b"b"}))
    (tmp_path / "archives/Testing.tar.gz").write_bytes(tar_tree({"README.txt": b"soon"}))
    with pytest.raises(BadInput, match=r"Testing.tar.gz: expected Testing/ .* test_seq_1.txt, .* README.txt") as caught:
        download("icvl", tmp_path, patience=PATIENCE)
    assert training.is_file()
    training.unlink()
    assert_set_aside(tmp_path, caught.value, "Testing.tar.gz")


def test_archive_whose_names_clash_is_set_aside(server: Loopback, tmp_path: Path) -> None:
    server.serve(NAME, zip_tree(TREE | {"a": b"", "a/b": b""}))
    with pytest.raises(BadInput, match="members cannot be written") as caught:
        download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    assert_set_aside(tmp_path, caught.value, NAME)


def test_a_tree_of_something_else_that_is_there_already(tmp_path: Path) -> None:
    """As an older version left it: the doctor names the way out, and the way leads out."""
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / NAME).write_bytes(zip_tree({"README.txt": b"soon"}))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/README.txt").write_bytes(b"soon")
    (tmp_path / "manifest.json").write_text('{"dataset": "msra14"}')
    (finding,) = examine(tmp_path).findings
    assert finding.what == f"raw/ beside the archive {NAME} holds nothing of MSRA14 Hand Tracking but raw/README.txt"
    assert "move raw/, manifest.json and receipt.json away" in finding.mend
    for name in ("raw", "manifest.json"):
        (tmp_path / name).rename(tmp_path / f"away-{name}")
    with pytest.raises(BadInput, match="expected the tree of MSRA14"):
        download("msra14", tmp_path, patience=PATIENCE)


def test_archive_that_leads_out(server: Loopback, tmp_path: Path) -> None:
    server.serve(NAME, zip_tree(TREE | {"../../evil": b"evil"}))
    with pytest.raises(BadInput, match="leads out of the folder"):
        download("msra14", tmp_path / "a" / "to", mirrors=[server.address], patience=PATIENCE)
    assert_unfinished(tmp_path / "a" / "to")
    assert not list(tmp_path.rglob("evil"))


def test_disk_is_checked_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100_000_000_000})
    monkeypatch.setattr("handbench.datasets.fetch.shutil.disk_usage", lambda _: usage)
    with pytest.raises(BadInput, match=r"expected 202.4 GB free for NYU Hand Pose, archive and files, found 100.0 GB"):
        download("nyu", tmp_path / "to", patience=PATIENCE)
    assert not (tmp_path / "to").exists()


def test_manifest_lost_after_the_files_were_in_place(server: Loopback, tmp_path: Path) -> None:
    """By a kill just before it is written, or by a workflow that removes a rule's output before it runs again."""
    server.serve(NAME, ARCHIVE)
    download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    before = (tmp_path / "manifest.json").read_bytes()
    (tmp_path / "manifest.json").unlink()
    download("msra14", tmp_path, patience=PATIENCE)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_killed_just_before_the_files_are_in_place(server: Loopback, tmp_path: Path) -> None:
    server.serve(NAME, ARCHIVE)
    raw = download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)
    (tmp_path / "manifest.json").unlink()
    raw.rename(tmp_path / "raw.checked")
    assert read_tree(download("msra14", tmp_path, patience=PATIENCE)) == TREE
    assert len(server.requests) == 1


def test_killed_while_unpacking(server: Loopback, tmp_path: Path) -> None:
    server.serve(NAME, ARCHIVE)
    for leftover in ("raw.checked", "raw.checked.partial"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "half").write_bytes(b"")
    assert read_tree(download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)) == TREE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archives", "manifest.json", "raw", "receipt.json"]


def test_kill_9_then_run_again(server: Loopback, tmp_path: Path) -> None:
    server.serve(NAME, ARCHIVE, "drip")
    program = (
        "import sys; from pathlib import Path; from handbench.datasets.download import download; "
        "download('msra14', Path(sys.argv[1]), mirrors=[sys.argv[2]])"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), server.address], stdout=subprocess.DEVNULL)
    part = tmp_path / "archives" / f"{NAME}.part"
    deadline_s = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 200_000) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=5)
    assert_unfinished(tmp_path)
    held_bytes = part.stat().st_size
    assert read_tree(download("msra14", tmp_path, mirrors=[server.address], patience=PATIENCE)) == TREE
    assert server.requests[-1] == (NAME, f"bytes={held_bytes}-")
    assert (tmp_path / "archives" / NAME).read_bytes() == ARCHIVE


def test_files_of_unknown_origin_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine").write_bytes(b"mine")
    with pytest.raises(BadInput, match="files of unknown origin"):
        download("msra14", tmp_path, patience=PATIENCE)
    assert read_tree(tmp_path) == {"raw/mine": b"mine"}


def test_folder_of_another_dataset(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"dataset": "icvl"}')
    for word in ("msra14", "published"):
        with pytest.raises(BadInput, match=f"expected a download of {word}, found icvl"):
            download(word, tmp_path, patience=PATIENCE)


@pytest.mark.parametrize("content", ["", "[1]", "{}", "\x00\xff"])
def test_broken_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match="expected the manifest of a download"):
        download("msra14", tmp_path, patience=PATIENCE)


def test_bad_words_and_places(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nyuu: expected one of nyu, icvl"):
        download("nyuu", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match="expected a folder, found a file"):
        download("msra14", tmp_path / "file")


def test_published_from_the_record_at_hand(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror = str(shared / "published")
    raw = download("published", tmp_path, mirrors=[mirror], patience=PATIENCE)
    for entry in PUBLISHED:
        assert hashlib.sha256((raw / entry.file).read_bytes()).hexdigest() == entry.sha256
    assert "19 files verified" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "manifest.json").read_text())["files"]) == 19
    download("published", tmp_path, mirrors=["/nowhere"], patience=PATIENCE)
    assert "(0 fetched)" in capsys.readouterr().out


def test_published_mends_a_spoiled_file(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror = str(shared / "published")
    raw = download("published", tmp_path, mirrors=[mirror], patience=PATIENCE)
    spoiled = raw / PUBLISHED[0].file
    content = spoiled.read_bytes()
    spoiled.write_bytes(content[:-1] + b"9")
    (raw / PUBLISHED[1].file).unlink()
    download("published", tmp_path, mirrors=[mirror], patience=PATIENCE)
    assert spoiled.read_bytes() == content
    assert "(2 fetched)" in capsys.readouterr().out


def test_published_from_a_server_with_wrong_bytes(
    shared: Path, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = PUBLISHED[0]
    content = (shared / "published" / first.file).read_bytes()
    upstream = server.serve("upstream", content, "wrong", content_type="text/plain")
    monkeypatch.setattr(downloading, "PUBLISHED", (replace(first, address=upstream),))
    server.serve(first.file, content, "html")
    with pytest.raises(
        BadInput, match=r"404 .*; a web page at .*; sha256 [0-9a-f]{64} at .*/upstream; get nyu/.* by hand"
    ):
        download("published", tmp_path, mirrors=[server.address + "/nowhere", server.address], patience=PATIENCE)
    assert not (tmp_path / "raw" / first.file).exists()
    assert not (tmp_path / "manifest.json").exists()
    download("published", tmp_path, patience=PATIENCE)
    assert (tmp_path / "raw" / first.file).read_bytes() == content
    assert not list((tmp_path / "raw").rglob("*.part*"))
