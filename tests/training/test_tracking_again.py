"""What becomes of a store that was not there, is lost, or comes back older: it is told again, and once."""

import ast
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest
from tracking_fixtures import Pipeline, forget_connections, log_run, make_pipeline

import handbench
from handbench.arguments import build_parser
from handbench.errors import BadInput
from handbench.training import tracking
from handbench.training.tracking import close_call, create_store, find_uri, open_run, send_unsent
from handbench.training.tracking_client import ACTIVE_RUNS, ALL_RUNS
from handbench.training.tracking_log import LOG
from handbench.training.tracking_send import find_logs
from handbench.training.tracking_store import FOLDER, is_ready

SOURCES = sorted(Path(handbench.__file__).parent.rglob("*.py"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("store")).results


@pytest.fixture
def pipeline(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_pipeline(tmp_path, template)


def count_all(pipeline: Pipeline) -> list[int]:
    """Rows of runs (jobs and their call), metrics, and kept files."""
    with sqlite3.connect(pipeline.results / "mlflow/mlflow.db") as database:
        rows = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "metrics")]
    return [*rows, len(list((pipeline.results / "mlflow/artifacts").rglob("note.txt")))]


def test_a_store_that_comes_late_is_made_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    pipeline = Pipeline(tmp_path / "results")
    pipeline.begin_call()
    assert not is_ready(pipeline.results)
    with monkeypatch.context() as patched:
        patched.setattr(tracking, "_make_database", lambda _: 1 / 0)
        assert not create_store(pipeline.results).available
        assert not is_ready(pipeline.results)
        log_run(pipeline)
        capfd.readouterr()
        close_call(pipeline.call, "FINISHED")
        said = capfd.readouterr().err
        assert len(said.splitlines()) == 1
        assert f"`handbench track {pipeline.results}`" in said
    close_call(pipeline.call, "FINISHED")
    assert capfd.readouterr().err == ""
    assert is_ready(pipeline.results)
    assert len(pipeline.read()) == 1
    assert [run.info.status for run in pipeline.read_all("", "workflow")] == ["FINISHED"]


@pytest.mark.parametrize("lost", ["database", "folder"])
def test_a_lost_store_is_filled_again_once(pipeline: Pipeline, lost: str) -> None:
    log_run(pipeline, 0)
    log_run(pipeline, 1)
    log_run(pipeline, 1)
    close_call(pipeline.call, "FAILED")
    before = count_all(pipeline)
    assert before == [4, 12, 3]
    forget_connections()
    if lost == "folder":
        shutil.rmtree(pipeline.results / FOLDER)
    else:
        (pipeline.results / "mlflow/mlflow.db").unlink()
        shutil.rmtree(pipeline.results / "mlflow/artifacts")
    assert not is_ready(pipeline.results)
    assert str(send_unsent(pipeline.results)) == "3 sent, 0 sent before, 0 failed"
    assert count_all(pipeline) == before
    assert str(send_unsent(pipeline.results)) == "0 sent, 3 sent before, 0 failed"
    assert count_all(pipeline) == before
    assert {tracked.run.tags["seed"] for tracked in pipeline.read()} == {"0", "1"}
    (parent,) = pipeline.read_all("", "workflow")
    assert parent.info.status == "FAILED"
    assert {tracked.run.tags["mlflow.parentRunId"] for tracked in pipeline.read()} == {parent.info.run_id}


def test_an_older_database_gets_what_came_since(pipeline: Pipeline) -> None:
    database, saved = pipeline.results / "mlflow/mlflow.db", pipeline.results / "saved.db"
    log_run(pipeline, 0)
    with open_run(pipeline.folder(1), experiment="crossing", name="x", params={}, tags={}, call=pipeline.call) as run:
        run.log({"loss": 2.0}, 0)
        shutil.copy(database, saved)
        run.log({"loss": 1.0}, 1)
    log_run(pipeline, 2)
    before = count_all(pipeline)
    forget_connections()
    saved.replace(database)
    forget_connections()
    assert str(send_unsent(pipeline.results)) == "2 sent, 1 sent before, 0 failed"
    assert count_all(pipeline)[:2] == before[:2]
    histories = {one.run.tags["seed"]: one.histories["loss"] for one in pipeline.read(history=("loss",))}
    assert histories == {"0": [(0, 1.0), (1, 0.5)], "1": [(0, 2.0), (1, 1.0)], "2": [(0, 1.0), (1, 0.5)]}


def test_a_run_that_somebody_has_removed_is_not_sent_again(pipeline: Pipeline) -> None:
    from mlflow.entities import ViewType
    from mlflow.tracking import MlflowClient

    assert (ACTIVE_RUNS, ALL_RUNS) == (ViewType.ACTIVE_ONLY, ViewType.ALL)
    log_run(pipeline)
    MlflowClient(tracking_uri=find_uri(pipeline.results)[0]).delete_run(pipeline.read()[0].run.run_id)
    assert str(send_unsent(pipeline.results)) == "0 sent, 1 sent before, 0 failed"
    assert pipeline.read() == []


def test_a_call_whose_end_nobody_noted_ends_as_its_jobs_did(pipeline: Pipeline) -> None:
    log_run(pipeline, 0)
    with open_run(pipeline.folder(1), experiment="crossing", name="x", params={}, tags={}, call=pipeline.call):
        send_unsent(pipeline.results)
        assert pipeline.read_all("", "workflow")[0].info.status == "RUNNING", "a job of it lives"
    send_unsent(pipeline.results)
    (parent,) = pipeline.read_all("", "workflow")
    assert parent.info.status == "FINISHED"
    assert parent.info.end_time == max(run.info.end_time for run in pipeline.read_all(""))
    close_call(pipeline.call, "FAILED")
    assert pipeline.read_all("", "workflow")[0].info.status == "FAILED", "the workflow itself knows better"


def test_linked_folders_are_followed_and_each_place_is_seen_once(pipeline: Pipeline, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "nn_search" / "seed0").mkdir(parents=True)
    link = pipeline.run / "train" / "nyu"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(pipeline.run / "train")
    (elsewhere / "gone").symlink_to(tmp_path / "nowhere")
    folder = log_run(pipeline, live=False)
    assert list(find_logs([pipeline.run / "train", elsewhere])) == [folder / LOG]
    assert str(send_unsent(pipeline.results)) == "1 sent, 0 sent before, 0 failed"
    assert pipeline.read()[0].run.tags["handbench.output"] == "demo-embedded/train/nyu/nn_search/seed0"


def test_an_empty_tag_is_no_tag(pipeline: Pipeline) -> None:
    tags = {"fold": "", "paper": "crossing"}
    with open_run(pipeline.folder(), experiment="crossing", name="x", params={}, tags=tags, call=pipeline.call):
        pass
    assert pipeline.read()[0].run.tags["paper"] == "crossing"
    assert "fold" not in pipeline.read()[0].run.tags


def test_without_a_store_the_remedy_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = tmp_path / "my results"
    with pytest.raises(BadInput) as refused:
        find_uri(results)
    commands = re.findall(r"`handbench ([^`]+)`", str(refused.value))
    assert [shlex.split(command) for command in commands] == [
        ["mlflow", "--results", str(results)],
        ["track", str(results)],
    ]
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)).results == results


def read_texts(path: Path) -> list[str]:
    """The texts of a file, a word where a formatted string has a value."""
    tree = ast.parse(path.read_text())
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    texts = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "word" for part in node.values)
        for node in joined
    ]
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in parts]
    return texts + [node.value for node in constants if isinstance(node.value, str)]


def test_every_command_that_is_named_exists() -> None:
    (commands,) = [action for action in build_parser()._actions if action.choices and action.dest != "help"]
    named = {
        (path.name, command)
        for path in SOURCES
        for text in read_texts(path)
        for command in re.findall(r"`handbench ([a-z][^`]*)`", text)
    }
    assert len(named) >= 15
    for file, command in named:
        name, *words = command.split()
        assert name in commands.choices, f"{file}: handbench {command}"
        parser = commands.choices[name]
        # A command may have actions of its own, which take the options.
        inner = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
        parser = next((actions[words[0]] for actions in inner if words and words[0] in actions), parser)
        known = parser._option_string_actions
        for word in words:
            assert not word.startswith("--") or word in known, f"{file}: handbench {command}"
