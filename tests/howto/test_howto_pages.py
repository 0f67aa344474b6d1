"""The pages of the first hour: what a reader would type, and what the page says comes out."""

import re
from pathlib import Path

import pytest
from howto_page import PAGES, ROOT, Reader, find_missing, read_blocks, read_commands, set_up

RECORD = Path("results/download/published/raw")


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return set_up(tmp_path / "handbench")


@pytest.fixture
def with_record(reader: Reader) -> Reader:
    """With the published record there already, where a copy lies beside the checkout: nobody fetches it for a test."""
    beside = ROOT.parent / "shared" / "published"
    mirror = f"--mirror {beside.as_uri()}" if beside.is_dir() else ""
    done = reader.run(f"handbench download published {mirror}")
    if done.returncode:
        pytest.skip(f"the published record is neither beside the checkout nor to be fetched: {done.stdout[-200:]}")
    return reader


def test_predictions_are_ranked_as_the_page_shows(with_record: Reader) -> None:
    with_record.follow(PAGES / "rank-your-predictions.md")
    # The record's own digits, which no run changes.
    table = (with_record.root / "results" / "evaluate" / "nyu" / "my-method" / "table.txt").read_text()
    assert re.findall(r"^>? *(.+?)  +(\d+\.\d{3}) ", table, re.MULTILINE)[:4] == [
        ("Generalized Feedback", "10.894"),
        ("Pose-REN", "11.811"),
        ("My method", "11.875"),
        ("DeepPrior++", "12.238"),
    ]


def test_own_frames_give_joints_without_training(reader: Reader) -> None:
    if not (ROOT / "models" / "manifest.json").is_file():
        pytest.skip("models/ is not in this checkout: no trained network to run")
    reader.follow(PAGES / "own-frames.md")
    rows = [row.split(",") for row in (reader.root / "mine" / "joints.csv").read_text().splitlines()[1:]]
    assert {row[0] for row in rows} == {f"depth_1_000000{k}" for k in (1, 2, 3)}
    # A hand before the camera, where the embedded frames have theirs.
    assert all(400 < float(row[6]) < 1300 for row in rows)
    assert not (reader.root / "nothing" / "joints.csv").exists()


def test_a_cluster_would_be_sent_what_the_page_shows(reader: Reader) -> None:
    """Up to the sending, which tests/cluster does on a Slurm of its own."""
    reader.follow(PAGES / "move-to-a-cluster.md", end="## Send it")


@pytest.mark.slow
def test_a_table_is_reproduced(with_record: Reader) -> None:
    with_record.follow(PAGES / "reproduce-a-table.md")
    table = (with_record.root / "results" / "report" / "tables" / "feedback15_figure_8a_means.md").read_text()
    [ours] = [line.split(" | ") for line in table.splitlines() if line.startswith("| Feedback (ours)")]
    # Printed and recomputed never change; a smoke run's own number is one, whatever it is.
    assert ours[1:3] == ["16.5", "15.97"]
    assert 0 < float(ours[6]) < 500


def test_every_page_is_in_the_index_and_every_link_leads_somewhere() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert {f"howto/{page.name}" for page in PAGES.glob("*.md")} <= set(re.findall(r"\]\(([^)#]+)\)", index))
    for page in (ROOT / "docs" / "README.md", *PAGES.glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_what_a_page_shows_is_held_to_what_was_printed() -> None:
    printed = "job   count\ntrain  12\nerror 3.5 mm in 2.1 s\nsaved in /tmp/x/results\n"
    assert find_missing(("train 12", "error 99.25 mm in 1.0 s", "saved in .../results"), printed) is None
    assert find_missing(("error 1.0 mm in 1.0 s", "train 12"), printed) == "train 12", "in another order"
    assert find_missing(("train 1",), printed) == "train 1", "another whole number"
    assert find_missing(("train 120",), printed) == "train 120"
    assert find_missing(("trained 12",), printed) == "trained 12"
    assert find_missing(("error 1.0 cm in 1.0 s",), printed) == "error 1.0 cm in 1.0 s"
    assert find_missing(("error -1.0 mm in 1.0 s",), printed) == "error -1.0 mm in 1.0 s", "another sign"


def test_commands_are_read_from_every_page() -> None:
    for page in PAGES.glob("*.md"):
        given = [one for block in read_blocks(page) if block.kind == "console" for one in read_commands(block)]
        assert given, page.name
        assert any(one.shown for one in given), f"{page.name} shows nothing that comes out"
