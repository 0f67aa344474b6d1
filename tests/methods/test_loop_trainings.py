"""The chain of a feedback loop on a few frames: trained part by part, resumed after a kill, put together, probed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handbench.conventions import MSRA
from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.loop.iteration import iterate
from handbench.methods.feedback_loop import build_model
from handbench.training.checkpoint import load_checkpoint
from handbench.training.picture_file import read_pictures
from handbench.training.predict import predict
from handbench.training.prediction_file import read_joints, read_steps
from handbench.training.probe import probe
from handbench.training.probe_file import read_probe
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing
from tests.methods.chain_fixtures import PARTS, find_parts, make_job
from tests.methods.killed_training import train_with_kills


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, and a chain of each paper trained on them."""
    folder = tmp_path_factory.mktemp("loop")
    build_crops(make_listing(40, split="train"), centre="joint", size_px=16, out=folder / "train")
    build_crops(make_listing(12), centre="joint", size_px=16, out=folder / "test")
    for paper in ("feedback15", "feedback19"):
        for part in PARTS:
            train(make_job(part, paper, find_parts(folder, paper, part)), folder / "train", folder / f"{paper}_{part}")
        job = Job("feedback_loop", paper, paper, {"iterations": 3}, seed=0, fold=None, needs=find_parts(folder, paper))
        train(job, folder / "train", folder / paper)
    job = make_job("joint", "feedback19", find_parts(folder, "feedback19"))
    train(job, folder / "train", folder / "feedback19_joint")
    train(make_job("localizer", "feedback19"), folder / "train", folder / "feedback19_localizer")
    return folder


@pytest.mark.parametrize("paper", ["feedback15", "feedback19"])
def test_the_loop_predicts_what_its_parts_do_one_after_the_other(place: Path, paper: str, tmp_path: Path) -> None:
    predict([place / paper], place / "test", tmp_path)
    steps_mm, (joints_mm, _) = read_steps(tmp_path / "predictions.npz"), read_joints(tmp_path / "predictions.npz")
    assert steps_mm.shape == (4, 12, 16, 3)
    assert np.array_equal(steps_mm[-1], joints_mm)
    predictor, synthesizer, updater = (load_checkpoint(place / f"{paper}_{part}").trained.build() for part in PARTS)
    tensors = open_crops(store=place / "test", joints="scored").tensors()
    with torch.no_grad():
        poses = iterate(updater, synthesizer, tensors["depth"], predictor(tensors["depth"]), 3)
    expected_mm = poses * (tensors["cube_mm"] / 2)[:, None, None] + tensors["centre_mm"][:, None]
    np.testing.assert_allclose(steps_mm, expected_mm.numpy(), atol=1e-2)
    moved_mm = np.abs(steps_mm[1] - steps_mm[0]).max()
    assert moved_mm > 0.01, "an updater that does nothing would pass as well"


def test_a_loop_carries_its_parts_and_needs_no_other_folder(place: Path) -> None:
    checkpoint = load_checkpoint(place / "feedback15")
    assert [part["module"] for part in checkpoint.card["parts"]] == [f"feedback15_{part}" for part in PARTS]
    own = load_checkpoint(place / "feedback15_updater").state
    held = checkpoint.trained.parts[2].state
    assert own.keys() == held.keys()
    assert all(torch.equal(value, held[name]) for name, value in own.items())
    assert build_model(checkpoint.trained).iterations == 3


@pytest.mark.parametrize(
    ("part", "paper", "epochs"),
    [
        ("synthesizer", "feedback15", 3),
        ("updater", "feedback15", 4),
        ("updater", "feedback19", 4),
        ("joint", "feedback19", 3),
        ("localizer", "feedback19", 3),
    ],
)
def test_killed_after_any_epoch_it_ends_in_the_same_bytes(
    place: Path, part: str, paper: str, epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as there are epochs in all of its fits."""
    job = make_job(part, paper, find_parts(place, paper, part))
    killed = train_with_kills(job, place / "train", tmp_path / "killed", monkeypatch, starts=20)
    assert killed == epochs
    file = "checkpoint.safetensors"
    assert (tmp_path / "killed" / file).read_bytes() == (place / f"{paper}_{part}" / file).read_bytes()


def test_stages_are_trained_one_after_the_other(place: Path, tmp_path: Path) -> None:
    """16 pixels have one stage before the whole image: its epochs, then those of the image."""
    told = [json.loads(line) for line in (place / "feedback15_synthesizer" / "tracking.jsonl").read_text().splitlines()]
    names = [[row[0] for row in event["rows"]] for event in told if event["event"] == "metrics"]
    assert names == [["loss", "stage_mm"], ["loss", "validation_mm"], ["loss", "validation_mm"]]
    end_to_end = make_job("synthesizer", "feedback15", stage_epochs=[])
    train(end_to_end, place / "train", tmp_path)
    states = [load_checkpoint(folder).state for folder in (tmp_path, place / "feedback15_synthesizer")]
    first = [state["images.0.convolution.weight"] for state in states]
    assert not torch.equal(*first), "the image of 8x8 has learned in one of them alone"


def test_a_probe_refuses_other_crops_than_those_of_the_training(place: Path, tmp_path: Path) -> None:
    """With the test crops in their place every nearest pose would be the very one."""
    with pytest.raises(BadInput, match="expected the crops that feedback15_synthesizer learned from"):
        probe(place / "feedback15_synthesizer", place / "test", place / "test", tmp_path)


def test_more_stages_than_the_patch_has_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="stage_epochs: expected at most 1 numbers"):
        train(make_job("synthesizer", "feedback15", stage_epochs=[1, 1]), place / "train", tmp_path)


def test_labels_with_noise_draw_other_images(place: Path, tmp_path: Path) -> None:
    train(make_job("synthesizer", "feedback15", label_noise_mm=20.0), place / "train", tmp_path)
    states = [load_checkpoint(folder).state for folder in (tmp_path, place / "feedback15_synthesizer")]
    assert not torch.equal(states[0]["dense.0.weight"], states[1]["dense.0.weight"])


def test_a_synthesizer_is_probed_against_the_camera(place: Path, tmp_path: Path) -> None:
    probe(place / "feedback15_synthesizer", place / "test", place / "train", tmp_path)
    numbers = read_probe(tmp_path / "probe.json")["numbers"]
    assert numbers["frames"] == len(numbers["frame_hand_mm"]) == len(numbers["sequences"]) == 12
    assert numbers["inside"]["pixels"] + numbers["outline"]["pixels"] == numbers["hand"]["pixels"]
    # Whatever else is timed, the pictures are the same in every byte.
    probe(place / "feedback15_synthesizer", place / "test", place / "train", tmp_path / "again")
    assert (tmp_path / "again" / "pictures.npz").read_bytes() == (tmp_path / "pictures.npz").read_bytes()
    # The first frames are those of the training: the nearest pose's image is the very one.
    assert numbers["nearest_hand"]["median_mm"] == 0.0


def test_a_localizer_is_probed_against_the_first_centre(place: Path, tmp_path: Path) -> None:
    probe(place / "feedback19_localizer", place / "test", place / "train", tmp_path)
    content = read_probe(tmp_path / "probe.json")
    numbers = content["numbers"]
    assert (content["kind"], numbers["joint"]) == ("feedback19.localizer", "middle_root")
    for name in ("first", "shifted", "localized"):
        distances_mm = numbers[f"frame_{name}_mm"]
        assert len(distances_mm) == len(numbers["sequences"]) == numbers["frames"] == 12
        assert numbers[name]["mean_mm"] == pytest.approx(np.mean(distances_mm), rel=1e-5)
    assert all(parts["localizer"] > 0 for parts in numbers["milliseconds"].values())
    pictures = read_pictures(tmp_path / "pictures.npz", content["sha256_of_pictures"])
    assert (pictures.steps, pictures.drawn.shape) == ((), (8, 0, 16, 16)), "it draws nothing: frames alone"


def test_a_localizer_learns_the_offset_of_its_joint_alone(place: Path, tmp_path: Path) -> None:
    train(make_job("localizer", "feedback19", joint="palm"), place / "train", tmp_path)
    states = [load_checkpoint(folder).state for folder in (tmp_path, place / "feedback19_localizer")]
    assert not torch.equal(states[0]["output.bias"], states[1]["output.bias"])
    with pytest.raises(BadInput, match="joint: expected a joint of icvl, found 'F3_KNU1_A'"):
        train(make_job("localizer", "feedback19", joint="F3_KNU1_A"), place / "train", tmp_path / "out")


def test_a_loop_is_probed_around_the_truth(place: Path, tmp_path: Path) -> None:
    probe(place / "feedback19", place / "test", place / "train", tmp_path)
    numbers = read_probe(tmp_path / "probe.json")["numbers"]
    pictures = read_pictures(tmp_path / "pictures.npz", read_probe(tmp_path / "probe.json")["sha256_of_pictures"])
    assert pictures.steps == ("0", "1", "2", "3")
    around = {row["noise_mm"]: row for row in numbers["around_truth"]}
    assert around[0.0]["before_mm"] == 0.0
    assert around[20.0]["before_mm"] == pytest.approx(20.0, rel=0.1)
    assert sum(around[20.0]["after_histogram"]) == 12
    assert set(numbers["milliseconds"]) >= {"1", "64"}
    assert all(ms > 0 for parts in numbers["milliseconds"].values() for ms in parts.values())


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ((), "needs a predictor, then a synthesizer, not nothing"),
        (("synthesizer", "predictor"), "not synthesizer, predictor; name their checkpoints in this order"),
    ],
)
def test_wrong_needs_are_one_line(place: Path, tmp_path: Path, needs: tuple[str, ...], said: str) -> None:
    job = make_job("updater", "feedback15", tuple(place / f"feedback15_{part}" for part in needs))
    with pytest.raises(BadInput, match=said):
        train(job, place / "train", tmp_path)


def test_parts_of_other_crops_are_refused(place: Path, tmp_path: Path) -> None:
    build_crops(make_listing(20, split="train"), centre="com", size_px=16, out=tmp_path / "com")
    needs = (place / "feedback15_predictor", place / "feedback15_synthesizer")
    with pytest.raises(BadInput, match="expected a checkpoint with centre"):
        train(make_job("updater", "feedback15", needs), tmp_path / "com", tmp_path / "out")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda place, out: predict([place / "feedback15_updater"], place / "test", out), "a module that gives joints"),
        (
            lambda place, out: predict([place / "feedback19_localizer"], place / "test", out),
            "found feedback19.localizer; name one of those",
        ),
        (
            lambda place, out: probe(place / "feedback15_predictor", place / "test", place / "train", out),
            "more to tell",
        ),
    ],
)
def test_a_module_is_not_asked_for_what_it_cannot_do(place: Path, tmp_path: Path, call: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call(place, tmp_path)


def test_a_loop_may_look_at_evenly_spaced_frames_only(place: Path, tmp_path: Path) -> None:
    parts = tuple(place / f"feedback15_{part}" for part in PARTS)
    job = Job("feedback_loop", "few", "feedback15", {"frames": 5}, seed=0, fold=None, needs=parts)
    train(job, place / "train", tmp_path / "few")
    predict([tmp_path / "few"], place / "test", tmp_path / "out")
    joints_mm, row = read_joints(tmp_path / "out" / "predictions.npz")
    assert row.tolist() == [0, 2, 4, 7, 9]
    predict([place / "feedback15"], place / "test", tmp_path / "all")
    steps_mm = read_steps(tmp_path / "all" / "predictions.npz")
    np.testing.assert_allclose(joints_mm, steps_mm[2][row], atol=1e-2)


@pytest.mark.parametrize("optimiser", ["lbfgsb", "scipy", "pso"])
def test_image_search_starts_from_the_predictor_and_brings_the_images_nearer(
    place: Path, optimiser: str, tmp_path: Path
) -> None:
    parts = (place / "feedback15_predictor", place / "feedback15_synthesizer")
    settings = {"optimiser": optimiser, "iterations": 4, "particles": 8, "frames": 6}
    train(Job("image_search", "search", "feedback15", settings, 0, None, needs=parts), place / "train", tmp_path / "s")
    predict([tmp_path / "s"], place / "test", tmp_path / "out")
    steps_mm, (_, row) = (
        read_steps(tmp_path / "out" / "predictions.npz"),
        read_joints(tmp_path / "out" / "predictions.npz"),
    )
    predict([place / "feedback15"], place / "test", tmp_path / "loop")
    # Both begin with the predictor's pose; the search keeps it inside the cube.
    start_mm = read_steps(tmp_path / "loop" / "predictions.npz")[0][row]
    np.testing.assert_allclose(steps_mm[0], start_mm, atol=1e-2)
    probe(tmp_path / "s", place / "test", place / "train", tmp_path / "probe")
    numbers = read_probe(tmp_path / "probe" / "probe.json")["numbers"]
    assert numbers["frames"] == 6
    assert len(numbers["image_error"]) == len(numbers["pose_error_mm"]) == len(steps_mm)
    assert numbers["image_error"][-1] < numbers["image_error"][0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_drawn_hand_stands_in_for_the_synthesizer(place: Path, tmp_path: Path, precision: str) -> None:
    train(Job("hand_renderer", "drawn", "feedback15", {}, 0, None), place / "train", tmp_path / "drawn")
    drawn = load_checkpoint(tmp_path / "drawn").trained.build()
    image = drawn(torch.zeros(2, 16, 3) + torch.linspace(-0.3, 0.3, 16)[None, :, None])
    assert image.shape == (2, 1, 16, 16)
    assert float(image.max()) == 1.0
    assert float(image.min()) < 1.0
    needs = (place / "feedback15_predictor", tmp_path / "drawn")
    job = make_job("updater", "feedback15", needs, epochs=1, precision=precision)
    train(job, place / "train", tmp_path / "updater")
    job = Job("feedback_loop", "upper", "feedback15", {}, 0, None, needs=(*needs, tmp_path / "updater"))
    train(job, place / "train", tmp_path / "loop")
    predict([tmp_path / "loop"], place / "test", tmp_path / "out")
    assert read_steps(tmp_path / "out" / "predictions.npz").shape == (3, 12, 16, 3)


def test_an_exported_loop_gives_the_same_joints(place: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    pytest.importorskip("onnxscript", reason="the export extra is not installed")
    from handbench.training.export import export

    export(place / "feedback19", tmp_path / "loop.onnx")
    depth = open_crops(store=place / "test", joints="scored").tensors()["depth"]
    session = onnxruntime.InferenceSession(tmp_path / "loop.onnx")
    (joints,) = session.run(["joints"], {"depth": depth.numpy()})
    predict([place / "feedback19"], place / "test", tmp_path / "out")
    store = open_crops(store=place / "test", joints="scored").tensors()
    joints_mm = joints * (store["cube_mm"] / 2)[:, None, None].numpy() + store["centre_mm"][:, None].numpy()
    np.testing.assert_allclose(joints_mm, read_joints(tmp_path / "out" / "predictions.npz")[0], atol=1e-3)


@pytest.mark.parametrize("module", ["feedback15_updater", "feedback15_synthesizer"])
def test_what_gives_no_joints_is_not_exported(place: Path, tmp_path: Path, module: str) -> None:
    from handbench.training.export import export

    with pytest.raises(BadInput, match=r"expected one of nearest_neighbour, .*, found feedback15\.\w+; export"):
        export(place / module, tmp_path / "loop.onnx")


def test_a_loop_of_msra_is_probed_on_the_subject_that_it_never_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handbench.loop.timing.TIMED_S", 0.01)
    build_crops(make_listing(48, convention=MSRA, split="all"), centre="com", size_px=16, out=tmp_path / "all")
    needs: tuple[Path, ...] = ()
    for part in PARTS:
        job = make_job(part, "feedback15", needs if part == "updater" else (), epochs=1)
        train(replace(job, fold="P0"), tmp_path / "all", tmp_path / part)
        needs = (*needs, tmp_path / part)
    loop = Job("feedback_loop", "feedback15", "feedback15", {"iterations": 2}, seed=0, fold="P0", needs=needs)
    train(loop, tmp_path / "all", tmp_path / "loop")
    for module in ("loop", "synthesizer"):
        probe(tmp_path / module, tmp_path / "all", tmp_path / "all", tmp_path / "probe" / module)
        told = read_probe(tmp_path / "probe" / module / "probe.json")
        assert (told["dataset"], told["numbers"]["frames"]) == ("msra", 16)
        pictures = read_pictures(tmp_path / "probe" / module / "pictures.npz", told["sha256_of_pictures"])
        subjects = open_crops(store=tmp_path / "all", split="all").subjects
        assert {subjects[row] for row in pictures.rows} == {"P0"}
