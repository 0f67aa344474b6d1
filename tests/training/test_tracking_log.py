"""The file beside a result: kills, full disks, second writers, processes that are gone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from handbench.training.tracking_log import (
    LOG,
    SENT,
    Outbox,
    Progress,
    clean_key,
    describe_process,
    is_gone,
    is_held,
    read_log,
    read_progress,
    write_progress,
)
from handbench.training.tracking_store import find_endpoint, find_results, find_store, hide_password, name_output


def start(uuid: str) -> dict[str, object]:
    return {"event": "start", "uuid": uuid, "time": 1}


def test_a_torn_line_ends_where_it_was_torn_and_the_next_run_follows(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.append(start("a"))
    box.append({"event": "metrics", "rows": [["loss", float("nan"), 0]], "time": 2})
    box.close()
    with (tmp_path / LOG).open("ab") as file:
        file.write(b'{"event": "metrics", "rows": [["lo')
    assert [len(run.events) for run in read_log(tmp_path / LOG)] == [2]
    again = Outbox(tmp_path)
    again.append(start("b"))
    again.append({"event": "end", "status": "FINISHED", "time": 3})
    again.close()
    first, second = read_log(tmp_path / LOG)
    assert (first.uuid, first.ended, len(first.events)) == ("a", False, 2)
    assert (second.uuid, second.ended, len(second.events)) == ("b", True, 2)


def test_lines_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b'\xff\xfe\n[1]\n{"event": "metrics"}\nnull\n')
    box = Outbox(tmp_path)
    box.append(start("a"))
    box.close()
    assert [run.uuid for run in read_log(tmp_path / LOG)] == ["a"]


def test_a_line_without_a_sum_is_damaged(tmp_path: Path) -> None:
    """Else a changed number would pass as soon as the sum has gone with it."""
    box = Outbox(tmp_path)
    for event in (start("a"), {"event": "metrics", "rows": [["loss", 0.5, 0]], "time": 2}, start("b")):
        box.append(event)
    box.close()
    path = tmp_path / LOG
    first, metrics, second = path.read_text().splitlines()
    changed = re.sub(r', "crc32": \d+', "", metrics).replace("0.5", "12345.0")
    assert changed != metrics
    path.write_text("\n".join([first, changed, re.sub(r', "crc32": \d+', "", second), ""]))
    (run,) = read_log(path)
    assert (run.uuid, len(run.events), run.damaged) == ("a", 1, 2)


def test_a_changed_line_is_left_out_and_counted_and_no_run_takes_another_s(tmp_path: Path) -> None:
    for uuid in "ab":
        box = Outbox(tmp_path)
        box.append(start(uuid))
        box.append({"event": "metrics", "rows": [["loss", 0.25, 0]], "time": 2})
        box.close()
    path = tmp_path / LOG
    whole = path.read_text()
    path.write_text(whole.replace("0.25", "0.35", 1))
    assert [(run.uuid, len(run.events), run.damaged) for run in read_log(path)] == [("a", 1, 1), ("b", 2, 0)]
    # With the second start lost, its lines are not the first run's: their sums are over another run.
    path.write_text(whole.replace('"b"', '"c"', 1))
    assert [(run.uuid, len(run.events), run.damaged) for run in read_log(path)] == [("a", 2, 2)]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    assert is_held(tmp_path / LOG)
    with pytest.raises(OSError, match="another job"):
        Outbox(tmp_path)
    box.close()
    assert not is_held(tmp_path / LOG)
    assert not is_held(tmp_path / "absent")


def test_a_full_disk_is_an_error_of_the_outbox(tmp_path: Path) -> None:
    (tmp_path / LOG).symlink_to("/dev/full")
    with pytest.raises(OSError, match="space"):
        Outbox(tmp_path).append(start("a"))


def test_progress_is_kept_for_each_run_and_survives_a_broken_file(tmp_path: Path) -> None:
    one, two = Progress("store", "r1", 3, False), Progress("store", "r2", 5, True)
    write_progress(tmp_path, "a", one)
    write_progress(tmp_path, "b", two)
    assert (read_progress(tmp_path, "a"), read_progress(tmp_path, "b")) == (one, two)
    assert read_progress(tmp_path, "c") is None
    (tmp_path / SENT).write_text('{"a": {"odd": 1}')
    assert read_progress(tmp_path, "a") is None
    (tmp_path / SENT).write_text('{"a": {"odd": 1}}')
    assert read_progress(tmp_path, "a") is None
    write_progress(tmp_path, "a", two)
    assert read_progress(tmp_path, "a") == two


def test_a_process_is_known_by_more_than_its_number() -> None:
    here = describe_process()
    assert not is_gone(here)
    assert not is_gone({key: str(value) for key, value in here.items()})
    assert is_gone(here | {"born": "1"})
    assert is_gone(here | {"boot": "before"})
    assert not is_gone(here | {"host": "elsewhere", "boot": "before"})
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = here | {
        "pid": child.pid,
        "born": Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19],
    }
    assert not is_gone(theirs)
    child.communicate(b"\n")
    assert is_gone(theirs)


@pytest.mark.parametrize(
    ("key", "clean"),
    [
        ("joint/PALM_3", "joint/PALM_3"),
        ("loss (mm)", "loss _mm_"),
        ("/a//b/", "_/a/_/b/_"),
        ("../up", "_/up"),
        ("größe", "gr__e"),
        ("x" * 300, "x" * 250),
    ],
)
def test_keys_are_made_fit_for_mlflow(key: str, clean: str) -> None:
    assert clean_key(key) == clean


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("http://127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("https://user:secret@host/mlflow", ("host", 443)),
        ("postgresql+psycopg2://u:p@db/x", ("db", 5432)),
        ("sqlite:////tmp/x.db", None),
        ("databricks", None),
    ],
)
def test_where_a_store_must_answer(uri: str, endpoint: tuple[str, int] | None) -> None:
    assert find_endpoint(uri) == endpoint


def test_passwords_are_not_shown() -> None:
    assert hide_password("at https://me:secret@host/x: refused") == "at https://host/x: refused"


def test_outputs_are_named_by_their_place_in_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "results/demo-real/train/msra/nn_search/seed1/fold-P3"
    results = find_results(folder, None)
    assert results == tmp_path / "results"
    assert name_output(folder, results) == "demo-real/train/msra/nn_search/seed1/fold-P3"
    assert find_results(tmp_path / "mine", None) is None
    assert name_output(tmp_path / "mine", None) == "mine"
    assert find_store(tmp_path / "results") is None


def test_the_environment_names_another_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://u:p@127.0.0.1:9")
    store = find_store(tmp_path)
    assert store
    assert store.uri == "http://u:p@127.0.0.1:9"
    assert store.name == "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///some/place.db")
    monkeypatch.chdir(tmp_path)
    store = find_store(tmp_path)
    assert store
    assert store.uri == f"sqlite:///{tmp_path}/some/place.db"
    assert os.fspath(store.artifacts) == f"{tmp_path}/some/artifacts"
