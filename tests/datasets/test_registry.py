"""What can be downloaded: complete, consistent, and the same record as the one at hand."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handbench.conventions import RECORDED
from handbench.datasets.published import METHODS, PUBLISHED, UPSTREAM_COMMIT, find_published
from handbench.datasets.registry import RELEASES, WORDS


def test_every_word_has_a_release() -> None:
    assert tuple(RELEASES) == WORDS
    assert set(WORDS) == {*RECORDED, "published"}
    for word, release in RELEASES.items():
        assert release.word == word
        assert release.citation
        assert release.licence
        assert urlsplit(release.page).scheme == "https"
        assert bool(release.archives) == (word != "published")


def test_addresses_lead_to_files() -> None:
    for release in RELEASES.values():
        for archive in release.archives:
            assert not set(archive.addresses) & set(archive.dead)
            for address in archive.addresses:
                assert urlsplit(address).path.endswith("/" + archive.name)
                assert "dl=0" not in address


def test_nyu_asks_for_archive_and_tree() -> None:
    assert RELEASES["nyu"].need_bytes == pytest.approx(2.2 * 92e9)


def test_published_entries() -> None:
    assert len(PUBLISHED) == 19
    assert len({entry.key for entry in PUBLISHED}) == len({entry.sha256 for entry in PUBLISHED}) == 19
    assert {entry.key.split("/")[1] for entry in PUBLISHED} == {*METHODS, "labels", "names"}
    for entry in PUBLISHED:
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert UPSTREAM_COMMIT in entry.address
        assert entry.address.endswith(entry.file.split("/")[1])
        assert entry.frames in ({"nyu": (8252,), "icvl": (1596, 702)}[entry.dataset])
        assert entry.columns == (1 if entry.role == "names" else 3 * {"nyu": 14, "icvl": 16}[entry.dataset])
        assert bool(entry.method) == bool(entry.paper) == (entry.role == "prediction")
    assert sorted(entry.key for entry in PUBLISHED if entry.frames == 702) == [
        "icvl/deepprior",
        "icvl/deepprior-refinement",
    ]


def test_find_published() -> None:
    assert find_published("nyu/feedback").file == "nyu/ICCV15_NYU_Feedback.txt"
    with pytest.raises(KeyError, match="icvl/lrf"):
        find_published("nyu/nothing")


def test_record_agrees_with_the_manifest(shared: Path) -> None:
    """Every file, checksum, length and upstream place of the record that was collected with the project."""
    rows = [line.split("\t") for line in (shared / "published" / "MANIFEST.tsv").read_text().splitlines()]
    known = {entry.file: entry for entry in PUBLISHED}
    listed = [row for row in rows if row[0] in known]
    assert len(listed) == len(known)
    for file, sha256, size_bytes, upstream in listed:
        entry = known[file]
        repository, _, rest = upstream.partition("@")
        commit, _, path = rest.partition(":")
        assert (entry.sha256, entry.size_bytes) == (sha256, int(size_bytes))
        assert entry.address == f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def test_record_holds_the_rows_and_columns_it_says(shared: Path) -> None:
    for entry in PUBLISHED:
        lines = [line.split() for line in (shared / "published" / entry.file).read_text().splitlines() if line.strip()]
        assert len(lines) == entry.frames
        assert {len(line) for line in lines} == {entry.columns}
