"""The words for rendered hands, for hands that hold something, and for a person's own frames."""

from pathlib import Path

import pytest

from handbench.cli import main
from handbench.datasets.own_hand import Reach
from tests.stand_in import Recorder, stand_in


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["c", "--store", "s", "--object", "box:60x40x120"],
            "expected --model with --object, found --store; leave",
        ),
        (
            ["c", "--store", "s", "--left-hand"],
            "expected --model with --left-hand, found --store",
        ),
        (["--model", "m", "--object", "box:60x40x120"], "expected depth images, found none; name them before --camera"),
        (
            ["f", "--model", "m", "--object", "sphere:60", "--truth", "t"],
            "expected --store with --truth, found --model",
        ),
    ],
)
def test_what_is_held_belongs_to_own_frames(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", *words, "--out", "out"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"handbench: predict: {said}")


def test_own_frames_hand_their_words_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import handbench.report.own_prediction as own

    loaded, made = Recorder(answer="model"), Recorder(answer="done")
    for name, recorder in (
        ("load_model", loaded),
        ("name_source", Recorder(answer="source")),
        ("predict_frames", made),
    ):
        monkeypatch.setattr(own, name, recorder)
    words = [
        "predict",
        "a.png",
        "--model",
        "m",
        "--object",
        "sphere:60",
        "--left-hand",
        "--no-pictures",
        "--out",
        "out",
    ]
    assert main(words) == 0
    assert loaded.calls == [((Path("m"), None), {"localizer": None, "held": "sphere:60", "left": True})]
    told = {"reach": Reach(), "pictures": False}
    assert made.calls == [(([Path("a.png")], "model", "source", Path("out")), told)]


@pytest.mark.parametrize("kind", ["handobject.loop", "handobject.single", "feedback15.updater", "image_search"])
def test_a_model_that_cannot_be_logged_is_told_before_its_training(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", kind, "--store", str(tmp_path), "--out", str(tmp_path / "out"), "--log-model"]
    assert main(words) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("handbench: --log-model: expected a model of a picture alone: nearest_neighbour, ")
    assert line.endswith(f"found {kind}; leave --log-model out: the checkpoint holds the whole model")
    assert not (tmp_path / "out").exists()


def test_render_hands_its_words_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch, "handbench.datasets.render", "render", Recorder())
    words = [
        "render",
        "spheres",
        "--hands",
        "msra=a b",
        "msra14=c",
        "--frames",
        "semi=3",
        "--out",
        "here",
        "--jobs",
        "2",
    ]
    assert main(words) == 0
    hands = {"msra": Path("a b"), "msra14": Path("c")}
    options = {"hands": hands, "frames": {"semi": 3}, "seed": 0, "jobs": 2, "renderer": "auto"}
    assert made.calls == [(("spheres", Path("here")), options)]


@pytest.mark.parametrize("words", [["train", "--hands", "msra"], ["ducks"], ["train", "--frames", "semi"]])
def test_wrong_words_to_render_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["render", "--out", "x", "--frames", "full=1", *words])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "expected" in said or "invalid choice" in said
