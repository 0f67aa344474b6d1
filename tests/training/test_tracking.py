"""Jobs and their store: what is logged, what a failing store does to a job, what is sent later, and once."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tracking_fixtures import Pipeline, forget_connections, log_run, make_pipeline, run_job, start_job

from handbench.datasets.lock import hold_alone
from handbench.errors import BadInput
from handbench.training import tracking
from handbench.training.tracking import close_call, create_store, open_run, send_unsent
from handbench.training.tracking_log import LOG, SENT, Outbox, read_log
from handbench.training.tracking_store import FOLDER


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("store")).results


@pytest.fixture
def pipeline(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_pipeline(tmp_path, template)


def test_a_job_is_a_run_of_its_call(pipeline: Pipeline, capfd: pytest.CaptureFixture) -> None:
    log_run(pipeline)
    (tracked,) = pipeline.read(history=("loss",))
    assert tracked.run.params == {"width": "8", "augment": "True"}
    wanted = {"dataset": "nyu", "module": "nn_search", "seed": "0", "stage": "train", "scale": "demo", "a": "b"}
    wanted |= {"source": "embedded", "handbench.output": "demo-embedded/train/nyu/nn_search/seed0", "current": "true"}
    assert wanted.items() <= tracked.run.tags.items()
    assert tracked.run.metrics == {"loss": 0.5, "error_mm": 19.0}
    assert tracked.histories == {"loss": [(0, 1.0), (1, 0.5)]}
    (parent,) = pipeline.read_all("", "workflow")
    assert tracked.run.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.data.tags["command"] == "snakemake --cores 2"
    assert parent.info.status == "RUNNING"
    close_call(pipeline.call, "FAILED")
    (parent,) = pipeline.read_all("", "workflow")
    assert parent.info.status == "FAILED"
    assert str(send_unsent(pipeline.results)) == "0 sent, 1 sent before, 0 failed"
    (artifact,) = (pipeline.results / "mlflow/artifacts").rglob("note.txt")
    assert artifact.read_text() == "made\n"
    assert capfd.readouterr() == ("", "")


def test_a_failing_job_is_a_failed_run_and_fails_as_it_would(pipeline: Pipeline) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        open_run(pipeline.folder(), experiment="crossing", name="x", params={}, tags={}, call=pipeline.call),
    ):
        _ = 1 / 0
    assert [tracked.run.status for tracked in pipeline.read(status=None)] == ["FAILED"]


def test_a_rerun_supersedes_the_run_before(pipeline: Pipeline) -> None:
    killed = start_job(pipeline.folder(), pipeline.call, wait=True)
    assert killed.stdout
    killed.stdout.readline()
    killed.kill()
    killed.wait()
    log_run(pipeline)
    assert len(read_log(pipeline.folder() / LOG)) == 2
    (tracked,) = pipeline.read()
    (old,) = pipeline.read_all("tags.current = 'false'")
    assert (old.info.status, tracked.run.params["width"]) == ("KILLED", "8")
    # The killed run's outbox tells no more than the store has.
    send_unsent(pipeline.results)
    send_unsent(pipeline.results)
    assert len(pipeline.read_all("")) == 2
    assert pipeline.read()[0].run.run_id == tracked.run.run_id


@pytest.mark.parametrize("way", ["next call", "track"])
def test_killed_jobs_that_never_run_again_are_closed(pipeline: Pipeline, way: str) -> None:
    job = start_job(pipeline.folder(1), pipeline.call, wait=True)
    assert job.stdout
    job.stdout.readline()
    send_unsent(pipeline.results)
    assert [run.info.status for run in pipeline.read_all("")] == ["RUNNING"]
    job.kill()
    job.wait()
    if way == "track":
        send_unsent(pipeline.results)
        assert pipeline.read_all("", "workflow")[0].info.status == "KILLED", "no job of it lives"
    pipeline.begin_call()
    log_run(pipeline)
    status = {run.data.tags["seed"]: run.info.status for run in pipeline.read_all("")}
    assert status == {"1": "KILLED", "0": "FINISHED"}
    assert sorted(run.info.status for run in pipeline.read_all("", "workflow")) == ["KILLED", "RUNNING"]


def test_without_a_store_the_file_holds_everything(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    pipeline = Pipeline(tmp_path / "results")
    pipeline.begin_call()
    code = "import sys; sys.modules['mlflow'] = None\n" + "import runpy; sys.argv[1:] = {0}\nexec({1!r})"
    from tracking_fixtures import JOB

    arguments = [str(pipeline.folder()), str(pipeline.call), "3", "2"]
    done = subprocess.run([sys.executable, "-c", code.format(arguments, JOB)], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0\n1\n2\ndone\n")
    close_call(pipeline.call, "FINISHED")
    assert not (pipeline.results / FOLDER / "store.json").exists()
    shutil.copytree(template / FOLDER, pipeline.results / FOLDER, dirs_exist_ok=True)
    assert send_unsent(pipeline.results).sent == 1
    (tracked,) = pipeline.read(history=("loss/1",))
    assert tracked.histories == {"loss/1": [(0, 0.01), (1, 1.01), (2, 2.01)]}
    (parent,) = pipeline.read_all("", "workflow")
    assert (parent.info.run_id, parent.info.status) == (tracked.run.tags["mlflow.parentRunId"], "FINISHED")


def test_a_store_without_the_package_is_one_line(pipeline: Pipeline) -> None:
    code = "import sys; sys.modules['mlflow'] = None; sys.argv[1:] = {0}\nexec({1!r})"
    from tracking_fixtures import JOB

    arguments = [str(pipeline.folder()), str(pipeline.call), "3", "2"]
    done = subprocess.run([sys.executable, "-c", code.format(arguments, JOB)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n1\n2\ndone\n")
    assert len(done.stderr.splitlines()) == 1
    assert "`handbench track" in done.stderr
    assert send_unsent(pipeline.results).sent == 1


def test_runs_of_a_job_by_hand_stay_in_the_file(pipeline: Pipeline) -> None:
    assert run_job(pipeline.folder(), None) == ""
    assert not (pipeline.folder() / SENT).exists()
    assert send_unsent(pipeline.results).sent == 1
    assert pipeline.read()[0].run.tags["module"] == "nn_search"


def test_runs_that_are_not_live_are_sent_when_the_call_closes(pipeline: Pipeline) -> None:
    for seed in range(3):
        log_run(pipeline, seed, live=False)
    assert pipeline.read() == []
    close_call(pipeline.call, "FINISHED")
    assert len(pipeline.read()) == 3
    assert [run.info.status for run in pipeline.read_all("", "workflow")] == ["FINISHED"]


def test_a_paper_that_was_added_is_read_back_with_the_others(pipeline: Pipeline) -> None:
    """Its experiment is made by its first job and is on no list."""
    for word, seed in (("crossing", 0), ("toynet", 1)):
        tags = {"stage": "train", "paper": word}
        with open_run(pipeline.folder(seed), experiment=word, name="x", params={}, tags=tags, call=pipeline.call):
            pass
    assert sorted(one.run.tags["paper"] for one in pipeline.read()) == ["crossing", "toynet"]


@pytest.mark.parametrize("fault", ["locked", "gone", "broken", "removed", "full"])
def test_a_store_that_fails_half_way_is_one_line_and_nothing_is_lost(
    pipeline: Pipeline, fault: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "BUSY_MS", 300)
    database = pipeline.results / "mlflow/mlflow.db"
    saved = pipeline.results / "saved.db"
    locker = None
    with open_run(pipeline.folder(), experiment="crossing", name="x", params={}, tags={}, call=pipeline.call) as run:
        run.log({"loss": 3.0}, 0)
        shutil.copy(database, saved)
        if fault == "locked":
            locker = sqlite3.connect(database)
            locker.execute("BEGIN EXCLUSIVE")
        elif fault == "broken":
            database.write_bytes(b"no database" * 1000)
        elif fault == "gone":
            database.unlink()
            database.mkdir()
        elif fault == "full":
            with sqlite3.connect(database) as other:
                other.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON metrics BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
                )
        elif fault == "removed":
            with sqlite3.connect(database) as other:
                other.execute("DELETE FROM runs WHERE 1")
        run.log({"loss": 2.0}, 1)
        run.log({"loss": 1.0}, 2)
    out, said = capfd.readouterr()
    assert (out, len(said.splitlines())) == ("", 1), said
    assert "handbench track" in said
    if locker:
        locker.close()
    elif fault == "gone":
        database.rmdir()
    if fault not in ("locked", "removed"):
        saved.replace(database)
    forget_connections()
    tracking.close_call(pipeline.call, "FINISHED")
    assert send_unsent(pipeline.results).failed == {}
    (tracked,) = pipeline.read(history=("loss",))
    assert tracked.histories == {"loss": [(0, 3.0), (1, 2.0), (2, 1.0)]}
    assert len(pipeline.read_all("")) == 1


def test_a_kill_between_sending_and_marking_changes_nothing(pipeline: Pipeline) -> None:
    folder = log_run(pipeline)
    before = pipeline.read(history=("loss", "error_mm"))
    sent = json.loads((folder / SENT).read_text())
    for events in (None, 0, 1, 3):
        (uuid,) = sent
        marks = {uuid: sent[uuid] | {"events": events, "done": False}} if events is not None else {}
        (folder / SENT).write_text(json.dumps(marks))
        assert send_unsent(pipeline.results).sent == 1
    assert pipeline.read(history=("loss", "error_mm")) == before
    assert len(pipeline.read_all("")) == 1
    database = sqlite3.connect(pipeline.results / "mlflow/mlflow.db")
    assert database.execute("SELECT count(*) FROM metrics").fetchone() == (4,)


def test_a_damaged_line_is_said_and_the_rest_of_its_run_sent(
    pipeline: Pipeline, capfd: pytest.CaptureFixture[str]
) -> None:
    log_run(pipeline, 0, live=False)
    path = pipeline.folder(0) / LOG
    path.write_text(path.read_text().replace('["loss", 1.0, 0]', '["loss", 2.0, 0]'))
    assert str(send_unsent(pipeline.results)) == "1 sent, 0 sent before, 0 failed"
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert f"{pipeline.folder(0)}: 1 damaged lines of {LOG} were left out" in said
    (tracked,) = pipeline.read(history=("loss",))
    assert (0, 2.0) not in tracked.histories["loss"]


def retell(folder: Path, old: str, new: str) -> None:
    """The same lines with another number, and the sums that belong to them."""
    runs = read_log(folder / LOG)
    (folder / LOG).unlink()
    box = Outbox(folder)
    for event in (event for run in runs for event in run.events):
        box.append(json.loads(json.dumps(event).replace(old, new)))
    box.close()


def test_one_refused_run_does_not_hold_up_the_others(pipeline: Pipeline, capfd: pytest.CaptureFixture[str]) -> None:
    log_run(pipeline, 0, live=False)
    log_run(pipeline, 1, live=False)
    retell(pipeline.folder(0), '["loss", 1.0, 0]', '["loss", "much", 0]')
    report = send_unsent(pipeline.results)
    assert (report.sent, list(report.failed)) == (1, [str(pipeline.folder(0))])
    assert f"{pipeline.folder(0)}: not sent (" in capfd.readouterr().err
    retell(pipeline.folder(0), '["loss", "much", 0]', '["loss", 1.0, 0]')
    assert str(send_unsent(pipeline.results)) == "1 sent, 1 sent before, 0 failed"


def test_an_artifact_that_has_changed_is_not_sent_as_the_old_one(pipeline: Pipeline) -> None:
    folder = log_run(pipeline, live=False)
    (folder / "note.txt").write_text("changed\n")
    assert send_unsent(pipeline.results).sent == 1
    assert "handbench.missing.note.txt" in pipeline.read()[0].run.tags
    assert not list((pipeline.results / "mlflow/artifacts").rglob("note.txt"))


def test_the_second_of_two_is_told_so(pipeline: Pipeline) -> None:
    log_run(pipeline, live=False)
    with hold_alone(pipeline.results / FOLDER / "track"), pytest.raises(BadInput, match="another process"):
        send_unsent(pipeline.results)


def test_the_file_of_a_full_disk_does_not_stop_the_job(pipeline: Pipeline, capfd: pytest.CaptureFixture) -> None:
    folder = pipeline.folder()
    folder.mkdir(parents=True)
    (folder / LOG).symlink_to("/dev/full")
    log_run(pipeline)
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert pipeline.read()[0].run.metrics["loss"] == 0.5


def test_a_folder_that_cannot_be_written_does_not_stop_the_job(
    pipeline: Pipeline, capfd: pytest.CaptureFixture
) -> None:
    pipeline.folder().parent.mkdir(parents=True)
    pipeline.folder().write_text("a file where the folder belongs")
    with open_run(pipeline.folder(), experiment="crossing", name="x", params={}, tags={}, call=pipeline.call) as run:
        run.log({"loss": 1.0})
        run.log_file(pipeline.folder() / "absent.txt")
    assert all(line.startswith("handbench: tracking of ") for line in capfd.readouterr().err.splitlines())


def test_a_moved_folder_keeps_its_runs_and_artifacts(pipeline: Pipeline, tmp_path: Path) -> None:
    log_run(pipeline, 0)
    moved = Pipeline(tmp_path / "else where#1%41" / "results")
    moved.results.parent.mkdir()
    pipeline.results.rename(moved.results)
    log_run(moved, 1)
    log_run(moved, 2, live=False)
    assert str(send_unsent(moved.results)) == "1 sent, 2 sent before, 0 failed"
    assert {tracked.run.tags["seed"] for tracked in moved.read()} == {"0", "1", "2"}
    assert len(list((moved.results / "mlflow/artifacts").rglob("note.txt"))) == 3
    assert not pipeline.results.exists()


def test_a_call_that_tracked_nothing_closes_without_mlflow(pipeline: Pipeline) -> None:
    code = f"""
import sys; from pathlib import Path; from handbench.training.tracking import close_call, send_unsent
close_call(Path({str(pipeline.call)!r}), "FINISHED"); print(send_unsent(Path({str(pipeline.results)!r})))
assert "mlflow" not in sys.modules and "sqlalchemy" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0 sent, 0 sent before, 0 failed\n"), done.stderr


def test_several_folders_share_a_store_and_do_not_supersede_one_another(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_run(pipeline)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{pipeline.results}/mlflow/mlflow.db")
    other = Pipeline(tmp_path / "other")
    other.begin_call()
    assert create_store(other.results).available
    log_run(other)
    assert [len(pipeline.read()), len(other.read())] == [1, 1]
    assert pipeline.read()[0].run.run_id != other.read()[0].run.run_id
    assert len(pipeline.read_all("tags.current = 'true'")) == 2


def test_without_store_json_the_environment_is_enough(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{pipeline.results}/mlflow/mlflow.db")
    other = Pipeline(tmp_path / "other")
    log_run(other)
    log_run(other)
    assert capfd.readouterr().err == ""
    assert len(other.read()) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no/such.db")
    log_run(other)
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_store_that_is_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    pipeline = Pipeline(tmp_path / "results")
    pipeline.begin_call()
    assert not create_store(pipeline.results).available
    said = capfd.readouterr().err
    assert len(said.splitlines()) == 1
    log_run(pipeline)
    assert capfd.readouterr().err == ""
    with pytest.raises(BadInput, match=r"a tracking store that answers, found .*Connection refused"):
        send_unsent(pipeline.results)
    assert capfd.readouterr().err == "", "the error says it"
    close_call(pipeline.call, "FINISHED")
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1
    assert "handbench track" in told
    written = [path.read_text() for path in pipeline.results.rglob("*") if path.is_file()]
    assert not any("secret" in text for text in [said, told, *written])
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.rmtree(pipeline.results / FOLDER)
    assert send_unsent(pipeline.results).sent == 1
