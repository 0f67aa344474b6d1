"""One file at a time from a server that misbehaves: the final name appears only with the right bytes."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Loopback

from handbench.datasets import fetch as fetching
from handbench.datasets.fetch import DeadAddress, Expected, check_disk, fetch
from handbench.errors import BadInput

ZIP = b"PK\x03\x04" + random.Random(0).randbytes(3_000_000)
"""The beginning of a zip is all that the downloader looks at."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Loopback() as loopback:
        yield loopback


def bring(address: str, target: Path, *, sha256: str = "", size_bytes: int | None = None, attempts: int = 3) -> Path:
    expected = Expected("archive", sha256, size_bytes)
    return fetch(address, target, expected=expected, attempts=attempts, wait_s=0.01, timeout_s=5.0)


def assert_nothing_whole(target: Path) -> None:
    assert not target.exists()
    assert {place.name for place in target.parent.iterdir()} <= {
        f"{target.name}.part",
        f"{target.name}.part.json",
        f"{target.name}.bad",
    }


def test_well_behaved_server(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.zip"
    assert bring(server.serve("a.zip", ZIP), target, sha256=hashlib.sha256(ZIP).hexdigest()) == target
    assert target.read_bytes() == ZIP
    assert list(target.parent.iterdir()) == [target]


def test_cut_line_continues_where_it_stopped(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP, "cut:1000000", "cut:500000")
    assert bring(address, tmp_path / "a.zip").read_bytes() == ZIP
    assert [wanted for _, wanted in server.requests] == ["", "bytes=1000000-", "bytes=1500000-"]
    assert server.sent["a.zip"] == len(ZIP)


@pytest.mark.parametrize("word", ["cut-headers", "500", "503", "cut:0", "cut:300"])
def test_a_fault_that_passes_is_retried(server: Loopback, tmp_path: Path, word: str) -> None:
    assert bring(server.serve("a.zip", ZIP, word, word), tmp_path / "a.zip").read_bytes() == ZIP


def test_retries_are_bounded(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP, *["500"] * 9)
    with pytest.raises(DeadAddress, match="HTTP 500 \\(3 times in a row\\)"):
        bring(address, tmp_path / "a.zip")
    assert len(server.requests) == 3
    assert_nothing_whole(tmp_path / "a.zip")


def test_cutting_at_the_same_place_without_ranges_is_bounded(server: Loopback, tmp_path: Path) -> None:
    # Each attempt starts over and brings the same two megabytes: not progress, whatever the count of bytes.
    address = server.serve("a.zip", ZIP, *["bare-cut:2000000"] * 20)
    with pytest.raises(DeadAddress, match=r"cut after 2,000,000 of 3,000,004 bytes \(3 times in a row\)"):
        bring(address, tmp_path / "a.zip")
    assert len(server.requests) == 4
    assert_nothing_whole(tmp_path / "a.zip")


def test_404_is_not_retried(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DeadAddress, match="HTTP 404"):
        bring(f"{server.address}/nowhere.zip", tmp_path / "a.zip")
    assert len(server.requests) == 1
    assert_nothing_whole(tmp_path / "a.zip")


def test_server_that_ignores_ranges_starts_over(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP, "cut:1000000", "no-range")
    assert bring(address, tmp_path / "a.zip").read_bytes() == ZIP


def test_wrong_range_is_not_appended(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP, "cut:1000000", "short-range")
    assert bring(address, tmp_path / "a.zip").read_bytes() == ZIP


def test_no_validator_means_no_resume(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    address = server.serve("a.zip", ZIP, *["bare"] * 9)
    (tmp_path / "a.zip.part").write_bytes(b"PK\x03\x04 from who knows where")
    note = {"address": address, "etag": "", "modified": "", "size_bytes": len(ZIP)}
    (tmp_path / "a.zip.part.json").write_text(json.dumps(note))
    assert bring(address, target).read_bytes() == ZIP
    assert server.requests == [("a.zip", "")]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"address": 1}'])
def test_part_of_unknown_origin_is_dropped(server: Loopback, tmp_path: Path, note: str) -> None:
    (tmp_path / "a.zip.part").write_bytes(ZIP[:999] + b"garbage")
    (tmp_path / "a.zip.part.json").write_text(note)
    assert bring(server.serve("a.zip", ZIP), tmp_path / "a.zip").read_bytes() == ZIP
    assert server.requests == [("a.zip", "")]


def test_file_that_changed_between_runs_starts_over(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    address = server.serve("a.zip", ZIP, "cut:1000000", "404")
    with pytest.raises(DeadAddress):
        bring(address, target)
    assert (tmp_path / "a.zip.part").stat().st_size == 1_000_000
    changed = b"PK\x03\x04" + random.Random(1).randbytes(3_000_000)
    server.serve("a.zip", changed)
    assert bring(address, target).read_bytes() == changed


def test_shorter_file_on_the_server_starts_over(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    address = server.serve("a.zip", ZIP, "cut:1000000", "404")
    with pytest.raises(DeadAddress):
        bring(address, target)
    server.serve("a.zip", ZIP[:5000])
    assert bring(address, target).read_bytes() == ZIP[:5000]


def test_other_address_never_continues_a_part(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with pytest.raises(DeadAddress):
        bring(server.serve("one/a.zip", ZIP, "cut:1000000", "404"), target)
    other = b"PK\x03\x04" + random.Random(2).randbytes(3_000_000)
    assert bring(server.serve("two/a.zip", other), target).read_bytes() == other


def test_killed_just_before_the_renaming(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP)
    (tmp_path / "a.zip.part").write_bytes(ZIP)
    note = {"address": address, "etag": '"x"', "modified": "", "size_bytes": len(ZIP)}
    (tmp_path / "a.zip.part.json").write_text(json.dumps(note))
    assert bring(address, tmp_path / "a.zip").read_bytes() == ZIP
    assert server.requests == []


@pytest.mark.parametrize("word", ["html", "sly-html"])
def test_web_page_is_refused(server: Loopback, tmp_path: Path, word: str) -> None:
    with pytest.raises(DeadAddress, match="a web page"):
        bring(server.serve("a.zip", ZIP, word), tmp_path / "a.zip")
    assert len(server.requests) == 1
    assert_nothing_whole(tmp_path / "a.zip")


def test_web_page_on_resume_keeps_the_part(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    address = server.serve("a.zip", ZIP, "cut:1000000", "html")
    with pytest.raises(DeadAddress, match="a web page"):
        bring(address, target)
    assert (tmp_path / "a.zip.part").stat().st_size == 1_000_000
    assert bring(address, target).read_bytes() == ZIP
    assert server.requests[-1] == ("a.zip", "bytes=1000000-")


def test_not_an_archive_is_refused(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DeadAddress, match="neither zip nor tar nor gzip"):
        bring(server.serve("a.zip", b"GIF89a" + bytes(1000)), tmp_path / "a.zip")
    assert_nothing_whole(tmp_path / "a.zip")


def test_empty_file_is_refused(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DeadAddress, match="an empty file"):
        bring(server.serve("a.zip", b""), tmp_path / "a.zip")
    assert_nothing_whole(tmp_path / "a.zip")


def test_wrong_bytes_never_take_the_final_name(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    address = server.serve("a.zip", ZIP, "wrong")
    with pytest.raises(DeadAddress, match=r"expected sha256 .* set aside as .*a\.zip\.bad"):
        bring(address, target, sha256=hashlib.sha256(ZIP).hexdigest())
    assert_nothing_whole(target)
    assert not (tmp_path / "a.zip.part").exists()
    assert bring(address, target, sha256=hashlib.sha256(ZIP).hexdigest()).read_bytes() == ZIP


def test_wrong_length_is_refused_before_it_is_fetched(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DeadAddress, match="expected 5 bytes, found 3,000,004 bytes"):
        bring(server.serve("a.zip", ZIP), tmp_path / "a.zip", size_bytes=5)
    assert_nothing_whole(tmp_path / "a.zip")


def test_unannounced_length_is_checked_afterwards(server: Loopback, tmp_path: Path) -> None:
    address = server.serve("a.zip", ZIP, "chunked", "chunked")
    assert bring(address, tmp_path / "a.zip", size_bytes=len(ZIP)).read_bytes() == ZIP
    with pytest.raises(DeadAddress, match="expected 3,000,005 bytes, found 3,000,004;"):
        bring(address, tmp_path / "b.zip", size_bytes=len(ZIP) + 1)
    assert not (tmp_path / "b.zip").exists()


def test_no_more_is_written_than_a_file_may_have(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an answer that does not say its length."""
    written: list[int] = []
    write = fetching._write
    monkeypatch.setattr(fetching, "_write", lambda *told: written.append(len(told[1])) or write(*told))
    with pytest.raises(DeadAddress, match="expected at most 100,000 bytes, found more"):
        bring(server.serve("a.zip", ZIP, "chunked"), tmp_path / "a.zip", size_bytes=100_000)
    assert sum(written) <= 100_000
    assert list(tmp_path.iterdir()) == []


def test_slow_drip_is_patience_and_silence_is_not(server: Loopback, tmp_path: Path) -> None:
    small = ZIP[:200_000]
    assert bring(server.serve("a.zip", small, "drip"), tmp_path / "a.zip").read_bytes() == small
    address = server.serve("b.zip", small, "stall", "stall")
    with pytest.raises(DeadAddress, match="2 times in a row"):
        fetch(address, tmp_path / "b.zip", expected=Expected("archive"), attempts=2, wait_s=0.01, timeout_s=0.2)
    assert not (tmp_path / "b.zip").exists()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Loopback() as gone:
        address = gone.serve("a.zip", ZIP)
    with pytest.raises(DeadAddress, match=r"refused.*\(2 times in a row\)"):
        bring(address, tmp_path / "a.zip", attempts=2)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_local_mirrors(tmp_path: Path, form: str) -> None:
    source = tmp_path / "a mirror" / "a.zip"
    source.parent.mkdir()
    source.write_bytes(ZIP)
    assert bring(form.format(source), tmp_path / "a.zip").read_bytes() == ZIP
    with pytest.raises(DeadAddress, match="No such file"):
        bring(form.format(source.with_name("b.zip")), tmp_path / "b.zip")


def test_local_mirror_continues(tmp_path: Path) -> None:
    source = tmp_path / "mirror.zip"
    source.write_bytes(ZIP)
    note = {"address": str(source), "etag": "", "modified": str(source.stat().st_mtime_ns), "size_bytes": len(ZIP)}
    (tmp_path / "a.zip.part").write_bytes(ZIP[:1000])
    (tmp_path / "a.zip.part.json").write_text(json.dumps(note))
    assert bring(str(source), tmp_path / "a.zip").read_bytes() == ZIP


def test_unknown_scheme(tmp_path: Path) -> None:
    with pytest.raises(DeadAddress, match="the scheme ftp"):
        bring("ftp://127.0.0.1/a.zip", tmp_path / "a.zip")


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:port/a.zip", "http://a..b/a.zip", "file://[::1"])
def test_address_that_makes_no_sense(tmp_path: Path, address: str) -> None:
    with pytest.raises(DeadAddress, match="makes no sense") as caught:
        bring(address, tmp_path / "a.zip")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["http://[::1", "http://127.0.0.1:port/a.zip"])
def test_redirect_to_an_address_that_makes_no_sense(server: Loopback, tmp_path: Path, target: str) -> None:
    with pytest.raises(DeadAddress, match="makes no sense"):
        bring(server.serve("a.zip", ZIP, f"redirect:{target}"), tmp_path / "a.zip")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("word", "said"), [("long-length", "length of 5,000 digits"), ("long-range", "which part")])
def test_lengths_of_thousands_of_digits(server: Loopback, tmp_path: Path, word: str, said: str) -> None:
    with pytest.raises(DeadAddress, match=said):
        bring(server.serve("a.zip", ZIP, word), tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["redirect:/a.zip", "garbage-status"])
def test_errors_of_the_library_become_one_line(server: Loopback, tmp_path: Path, word: str) -> None:
    with pytest.raises(DeadAddress) as caught:
        bring(server.serve("a.zip", ZIP, *[word] * 40), tmp_path / "a.zip")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("word", ["404", "500", "html", "sly-html", "cut:0", "cut-headers"])
def test_refused_address_leaves_no_empty_part(server: Loopback, tmp_path: Path, word: str) -> None:
    with pytest.raises(DeadAddress):
        bring(server.serve("a.zip", ZIP, *[word] * 3), tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


def test_second_download_of_the_same_file_is_refused(server: Loopback, tmp_path: Path) -> None:
    with fetching._hold(tmp_path / "a.zip.part"), pytest.raises(BadInput, match="in use by another process"):
        bring(server.serve("a.zip", ZIP), tmp_path / "a.zip")


def test_disk_is_checked_first(server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BadInput, match=r"expected 0.0 GB free for a.zip, found 0.0 GB"):
        bring(server.serve("a.zip", ZIP), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    with pytest.raises(BadInput, match=r"expected 202.4 GB free for NYU"):
        check_disk(tmp_path / "not" / "yet", 202_400_000_000, what="NYU")


def test_kill_9_then_resume(server: Loopback, tmp_path: Path) -> None:
    target, part = tmp_path / "a.zip", tmp_path / "a.zip.part"
    address = server.serve("a.zip", ZIP, "drip")
    program = (
        "import sys; from pathlib import Path; from handbench.datasets.fetch import fetch, Expected; "
        "fetch(sys.argv[1], Path(sys.argv[2]), expected=Expected('archive'))"
    )
    child = subprocess.Popen([sys.executable, "-c", program, address, str(target)], env=dict(os.environ))
    deadline_s = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 300_000) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=5) == -signal.SIGKILL
    held_bytes = part.stat().st_size
    assert 300_000 < held_bytes < len(ZIP)
    assert_nothing_whole(target)
    assert bring(address, target, sha256=hashlib.sha256(ZIP).hexdigest()).read_bytes() == ZIP
    assert server.requests[-1] == ("a.zip", f"bytes={held_bytes}-")
