"""Where a number comes from: paths, commits, settings, calls."""

import json
import subprocess
from pathlib import Path

import pytest

from handbench.provenance import Place, digest_settings, read_call, read_commit, read_place, write_call


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("results/demo-embedded/train/nyu/nn/seed0", Place("demo", "embedded", "train", "nyu", "nn", 0, None)),
        ("a/paper-real/train/msra/nn/seed12/fold-P3", Place("paper", "real", "train", "msra", "nn", 12, "P3")),
        ("results/demo-embedded/train/nyu/nn", None),
        ("results/other-embedded/train/nyu/nn/seed0", None),
        ("mine", None),
    ],
)
def test_a_path_says_what_a_result_is(path: str, place: Place | None) -> None:
    assert read_place(Path(path)) == place


def test_the_commit_and_what_is_not_committed(tmp_path: Path) -> None:
    assert read_commit(tmp_path) is None

    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init")
    assert read_commit(tmp_path) is None
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    commit = read_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 12
    (tmp_path / "untracked").write_text("")
    assert read_commit(tmp_path) == commit
    (tmp_path / "a").write_text("2")
    assert read_commit(tmp_path) == f"{commit}-dirty"


def test_a_call_is_written_and_read(tmp_path: Path) -> None:
    settings = {"scale": "smoke", "source": "embedded", "results": "x", "seeds": [0]}
    write_call(tmp_path / "smoke-embedded", settings, ["snakemake", "--cores", "2"])
    call = read_call(tmp_path / "smoke-embedded" / "call.json")
    assert call["command"] == "snakemake --cores 2"
    assert call["results"] == str(tmp_path)
    assert call["config_digest"] == digest_settings(settings)
    first = call["call"]
    write_call(tmp_path / "smoke-embedded", settings, [])
    assert read_call(tmp_path / "smoke-embedded" / "call.json")["call"] != first


def test_no_call_is_no_fault(tmp_path: Path) -> None:
    assert read_call(None) == {}
    assert read_call(tmp_path / "call.json") == {}
    (tmp_path / "call.json").write_text("[")
    assert read_call(tmp_path / "call.json") == {}
    (tmp_path / "call.json").write_text(json.dumps([1]))
    assert read_call(tmp_path / "call.json") == {}


def test_where_results_go_and_what_draws_is_no_part_of_the_digest() -> None:
    settings = {"scale": "smoke", "results": "a", "renderer": "auto", "seeds": [0], "datasets": {"nyu": {"path": "b"}}}
    assert digest_settings(settings) == digest_settings({**settings, "datasets": {"nyu": {"path": "c"}}})
    assert digest_settings(settings) == digest_settings({**settings, "results": "b", "renderer": "opengl"})
    assert digest_settings(settings) != digest_settings({**settings, "seeds": [1]})
