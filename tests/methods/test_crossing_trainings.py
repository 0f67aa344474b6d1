"""The trainings of crossing: what learns when, from which labels, after a kill, and what becomes of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule

from handbench.conventions import MSRA
from handbench.crossing_modules import CrossingGan
from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.evaluation.remarks import tell_remarks
from handbench.evaluation.trainings import read_trainings
from handbench.loop.adversarial_training import AdversarialTraining, Step
from handbench.loop.augmentation import CropBatch
from handbench.loop.collapse import Health, has_collapsed
from handbench.loop.crossing_measures import measure_statistics
from handbench.loop.labelled_share import choose_labelled, share_labels, take_all_joints
from handbench.methods import State
from handbench.networks.crossing import CrossingNets, PosteriorNets
from handbench.networks.depth_gan import Discriminator
from handbench.training import lightning_loop
from handbench.training.checkpoint import load_checkpoint
from handbench.training.fit import Fit
from handbench.training.lightning_loop import run_epochs
from handbench.training.picture_file import read_pictures
from handbench.training.predict import predict
from handbench.training.prediction_file import read_joints
from handbench.training.probe import probe
from handbench.training.train import prepare, train
from tests.datasets.crop_fixtures import make_listing
from tests.methods.crossing_fixtures import PARTS, SIZE_PX, make_data, make_job
from tests.methods.killed_training import train_with_kills


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, and every module trained for a moment."""
    folder = tmp_path_factory.mktemp("crossing")
    make_data(folder)
    for module in PARTS:
        train(make_job(module, folder), folder / "train", folder / module)
    return folder


@pytest.mark.parametrize("module", list(PARTS))
def test_a_killed_training_goes_on_to_the_same_end(
    place: Path, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train_with_kills(make_job(module, place), place / "train", tmp_path / "again", monkeypatch, starts=9) == 3
    ours, theirs = load_checkpoint(tmp_path / "again"), load_checkpoint(place / module)
    assert ours.state.keys() == theirs.state.keys()
    assert all(torch.equal(ours.state[name], theirs.state[name]) for name in ours.state)
    assert ours.card["remarks"] == theirs.card["remarks"]
    assert not (tmp_path / "again" / "resume").exists()


def test_what_a_killed_training_goes_on_from_holds_both_optimisers(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_with_kills(make_job("estimator", place), place / "train", tmp_path, monkeypatch, starts=2)
    [file] = (tmp_path / "resume").rglob(lightning_loop.EPOCH_FILE)
    saved = torch.load(file, weights_only=True)
    drawing, judging = saved["optimizer_states"]
    # Two epochs of three steps; in the first of them the generator did not learn.
    assert {int(one["step"]) for one in drawing["state"].values()} == {3, 6}
    assert {int(one["step"]) for one in judging["state"].values()} == {3, 6}
    assert [one["last_epoch"] for one in saved["lr_schedulers"]] == [6, 6]


def read_learned(place: Path, tmp_path: Path, **changes: Any) -> set[str]:
    """What a training of one epoch has changed."""
    train(make_job("estimator", place, epochs=1, head_epochs=0, **changes), place / "train", tmp_path)
    return name_changed(place, load_checkpoint(tmp_path).state)


def name_changed(place: Path, after: State) -> set[str]:
    """The first parts of the names of everything that is not as it was in what the estimator began from."""
    begun: State = {}
    for prefix, module in (("", "gan"), ("route.", "gan"), ("route.alignment.", "alignment"), ("vae.", "vae")):
        begun |= {f"{prefix}{name}": value for name, value in load_checkpoint(place / module).state.items()}
    # Statistics of batches are no weights.
    left_out = ("running_mean", "running_var", "num_batches_tracked")
    names = [name for name in after if not name.endswith(left_out)]
    assert set(names) <= begun.keys()
    return {".".join(name.split(".")[:2]) for name in names if not torch.equal(after[name], begun[name])}


HEADS = {f"discriminator.{name}" for name in ("comparing", "difference", "estimating", "posterior")}
REST = {f"discriminator.{name}" for name in ("shared", "judging", "verdict")} | {"route.generator"}


def test_at_first_only_alignment_and_heads_learn(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two epochs the first is the heads' own."""
    ends: list[State] = []
    train_end = lightning_loop.EpochEnd.on_train_epoch_end

    def note(self: Any, trainer: Any, module: Any) -> None:
        sides = zip(("route.", "discriminator."), module.sides, strict=True)
        ends.append({f"{side}{name}": one.clone() for side, net in sides for name, one in net.state_dict().items()})
        train_end(self, trainer, module)

    monkeypatch.setattr(lightning_loop.EpochEnd, "on_train_epoch_end", note)
    train(make_job("estimator", place, epochs=2), place / "train", tmp_path)
    first, last = (name_changed(place, state) for state in ends)
    assert first == HEADS | {"route.alignment"}
    assert last == HEADS | REST | {"route.alignment"}


def test_a_task_that_is_left_out_teaches_its_head_nothing(place: Path, tmp_path: Path) -> None:
    without = read_learned(place, tmp_path / "smoothness", smoothness=False)
    assert (HEADS | REST | {"route.alignment"}) - without == {"discriminator.comparing", "discriminator.difference"}
    without = read_learned(place, tmp_path / "gan", gan=False)
    assert (HEADS | REST | {"route.alignment"}) - without == {"discriminator.judging", "discriminator.verdict"}


def test_one_frame_alone_is_refused_where_batches_are_normalised(tmp_path: Path) -> None:
    module = LightningModule()
    module.norm = torch.nn.BatchNorm1d(1)
    with pytest.raises(BadInput, match=r"expected two frames for each process in a batch.* found 1 for 1; train on"):
        run_epochs(module, make_frames(1), epochs=1, batch=8, seed=0, place=tmp_path, tell=lambda *_: None)


def test_pretrained_starts_from_the_first_layers_of_the_gan(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, torch.Tensor] = {}

    def note(self: Any, trainer: Any, module: Any) -> None:
        begun.update({name: value.clone() for name, value in module.network.state_dict().items()})

    monkeypatch.setattr(lightning_loop.EpochEnd, "on_train_start", note)
    gan = load_checkpoint(place / "gan").state
    for module, same in (("pretrained", True), ("posterior", False)):
        train(make_job(module, place), place / "train", tmp_path / module)
        assert torch.equal(begun["shared.0.0.weight"], gan["discriminator.shared.0.0.weight"]) == same
        assert not torch.equal(begun["judging.0.0.weight"], gan["discriminator.judging.0.0.weight"]) or not same


def test_equal_epochs_are_fewer_updates(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 54 frames 16 have labels: six batches of all and two of those."""
    steps: list[int] = []
    train_end = lightning_loop.EpochEnd.on_train_epoch_end

    def count(self: Any, trainer: Any, module: Any) -> None:
        steps.append(trainer.global_step)
        train_end(self, trainer, module)

    monkeypatch.setattr(lightning_loop.EpochEnd, "on_train_epoch_end", count)
    for equal, expected in (("updates", [6, 12]), ("epochs", [2, 4])):
        steps.clear()
        job = make_job("posterior", place, epochs=2, epoch_steps=None, equal=equal)
        train(job, place / "train", tmp_path / equal)
        assert steps == expected


def test_labels_are_a_share_and_smaller_shares_lie_in_larger_ones(place: Path) -> None:
    two, five = set(choose_labelled(1000, 0.02, 3).tolist()), set(choose_labelled(1000, 0.05, 3).tolist())
    assert (len(two), len(five)) == (20, 50)
    assert two < five
    assert two != set(choose_labelled(1000, 0.02, 4).tolist())
    assert choose_labelled(10, 1.0, 0).tolist() == list(range(10))
    assert len(choose_labelled(10, 0.001, 0)) == 2
    crops = take_all_joints(open_crops(store=place / "train", split="train", joints="scored"))
    shared = share_labels(crops, 0.3, 0)
    assert (len(shared.labelled["depth"]), len(shared.images), len(shared.held_back["depth"])) == (16, 54, 6)
    rows = choose_labelled(54, 0.3, 0)
    assert torch.equal(shared.labelled["joints"], crops.joints[rows])
    assert torch.equal(shared.labelled["depth"], shared.images[rows])


def test_frames_without_labels_give_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third frame lacks a joint: of 40 labelled ones the last four are held back, images are of all others."""
    joints_mm = make_listing(60).joints_mm.copy()
    joints_mm[::3, 7] = np.nan
    listing = make_listing(60, split="train", joints_mm=joints_mm)
    build_crops(listing, centre="com", size_px=SIZE_PX, out=tmp_path / "train")
    crops = take_all_joints(open_crops(store=tmp_path / "train", split="train", joints="scored"))
    shared = share_labels(crops, 0.5, 0)
    assert (len(shared.labelled["depth"]), len(shared.images), len(shared.held_back["depth"])) == (18, 56, 4)
    assert shared.labelled["joints"].isfinite().all()
    held_back = [row for row in range(60) if row % 3][-4:]
    kept = [row for row in range(60) if row not in held_back]
    assert torch.equal(shared.images, crops.tensors(torch.float16)["depth"][kept])
    seen: list[int] = []
    monkeypatch.setattr(Fit, "fit", lambda self, module, data, **_: seen.append(len(data["depth"])))
    train(make_job("gan", tmp_path), tmp_path / "train", tmp_path / "gan")
    assert seen == [56]
    joints_mm[:, 7] = np.nan
    build_crops(replace(listing, joints_mm=joints_mm), centre="com", size_px=SIZE_PX, out=tmp_path / "none" / "train")
    train(make_job("gan", tmp_path), tmp_path / "none" / "train", tmp_path / "gan")
    assert seen == [56, 60], "without any label nothing is held back"
    monkeypatch.undo()
    for module in PARTS:
        train(make_job(module, tmp_path, epochs=2), tmp_path / "train", tmp_path / module)
        state = load_checkpoint(tmp_path / module).state
        assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())


def test_labels_of_another_share_are_refused(place: Path, tmp_path: Path) -> None:
    for module in ("alignment", "estimator", "posterior"):
        with pytest.raises(BadInput, match=r"learned from 0\.5 of the labels, found one of 0\.3; name the one"):
            train(make_job(module, place, labelled_share=0.5), place / "train", tmp_path / module)


def test_labels_of_another_seed_or_other_crops_are_refused(place: Path, tmp_path: Path) -> None:
    """They would be others: together the two modules would see more than their share of them."""
    for module in ("alignment", "estimator", "posterior"):
        job = replace(make_job(module, place), seed=1)
        with pytest.raises(BadInput, match=r"with seed 1, by which 0\.3 of the labels are chosen, found 0; train both"):
            prepare(job, place / "train")
    whole = replace(make_job("posterior", place, labelled_share=1.0), seed=1)
    assert prepare(whole, place / "train").needs
    make_data(tmp_path, frames=50)
    with pytest.raises(BadInput, match=r"with crops of sha256 \w+, by which 0\.3 of the labels are chosen, found"):
        prepare(make_job("posterior", place), tmp_path / "train")


@pytest.mark.parametrize("part", ["vae", "gan"])
def test_an_alignment_of_another_vae_or_gan_is_refused(place: Path, tmp_path: Path, part: str) -> None:
    train(make_job(part, place, epochs=1), place / "train", tmp_path / part)
    job = make_job("estimator", place)
    needs = tuple(tmp_path / part if needed.name == part else needed for needed in job.needs)
    with pytest.raises(
        BadInput, match=rf"alignment: expected a checkpoint that started from .*, found .*another {part}, "
    ):
        prepare(replace(job, needs=needs), place / "train")


def test_two_labelled_frames_are_enough_to_run(tmp_path: Path) -> None:
    """As 2 % of the frames that only try the wiring are."""
    make_data(tmp_path, frames=24)
    for module in PARTS:
        changes = {} if module == "gan" else {"labelled_share": 0.02}
        train(make_job(module, tmp_path, epochs=2, **changes), tmp_path / "train", tmp_path / module)
    predict([tmp_path / "estimator"], tmp_path / "test", tmp_path / "predicted")
    joints_mm, _ = read_joints(tmp_path / "predicted" / "predictions.npz")
    assert np.isfinite(joints_mm).all()


@pytest.mark.parametrize("module", ["estimator", "posterior", "pretrained"])
def test_what_is_predicted_is_what_the_model_says(place: Path, module: str, tmp_path: Path) -> None:
    predict([place / module], place / "test", tmp_path)
    joints_mm, _ = read_joints(tmp_path / "predictions.npz")
    model = load_checkpoint(place / module).trained.build()
    assert isinstance(model, CrossingNets if module == "estimator" else PosteriorNets)
    crops = open_crops(store=place / "test", joints="scored").tensors()
    with torch.no_grad():
        joints = model(crops["depth"])
    expected_mm = joints * crops["cube_mm"][:, None, None] / 2 + crops["centre_mm"][:, None]
    np.testing.assert_allclose(joints_mm, expected_mm.numpy(), atol=1e-2)


def test_the_estimator_is_exported(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from handbench.training.export import export

    assert "joints within" in export(place / "estimator", tmp_path / "estimator.onnx")
    with pytest.raises(BadInput, match=r"expected one of .*crossing\.posterior, .*, found crossing\.vae"):
        export(place / "vae", tmp_path / "vae.onnx")


def test_the_probe_times_draws_and_examines(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handbench.loop.timing.TIMED_S", 0.01)
    probe(place / "estimator", place / "test", place / "train", tmp_path)
    numbers = json.loads((tmp_path / "probe.json").read_text())["numbers"]
    assert numbers["milliseconds"]["1"]["network"] > 0
    drawn = numbers["reconstruction"]
    assert drawn["frames"] == len(drawn["by_frame"]) == 20
    model = load_checkpoint(place / "estimator").trained.build()
    depth = open_crops(store=place / "test", joints="scored").tensors()["depth"]
    with torch.no_grad():
        off = (model.draw(model.estimate(depth)) - depth).abs().mean(dim=(1, 2, 3))
        nothing = (1 - depth).abs().mean(dim=(1, 2, 3))
        other = (model.draw(model.estimate(depth[[*range(10, 20), *range(10)]])) - depth).abs().mean(dim=(1, 2, 3))
    assert drawn["by_frame"] == pytest.approx(off.tolist(), abs=1e-5)
    assert drawn["background_by_frame"] == pytest.approx(nothing.tolist(), abs=1e-5)
    assert drawn["other_by_frame"] == pytest.approx(other.tolist(), abs=1e-5)
    assert drawn["test"] == pytest.approx(float(off.mean()), abs=1e-5)
    assert numbers["gan"].keys() == {"spread_real", "spread_drawn", "accuracy", "collapsed"}


def test_a_subject_of_msra_is_probed_by_the_network_that_never_saw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handbench.loop.timing.TIMED_S", 0.01)
    build_crops(make_listing(48, convention=MSRA, split="all"), centre="com", size_px=SIZE_PX, out=tmp_path / "all")
    for module in ("vae", "gan", "alignment", "estimator"):
        job = replace(make_job(module, tmp_path, epochs=2), fold="P0")
        train(job, tmp_path / "all", tmp_path / module)
    probe(tmp_path / "estimator", tmp_path / "all", tmp_path / "all", tmp_path / "probe")
    told = json.loads((tmp_path / "probe" / "probe.json").read_text())
    assert (told["dataset"], told["numbers"]["frames"]) == ("msra", 16)
    pictures = read_pictures(tmp_path / "probe" / "pictures.npz", told["sha256_of_pictures"])
    subjects = open_crops(store=tmp_path / "all", split="all").subjects
    assert {subjects[row] for row in pictures.rows} == {"P0"}


def test_a_collapse_is_said_and_kept(place: Path) -> None:
    """After nine steps the generator still draws one image."""
    card = load_checkpoint(place / "gan").card
    assert len(card["remarks"]) == 1
    assert card["remarks"][0].startswith("the drawing of images has collapsed: drawn pixels have a spread of 0.")
    assert load_checkpoint(place / "vae").card["remarks"] == []
    assert card["converged"] is None, "nobody can say when a GAN has come to its end"


def test_a_run_says_which_trainings_collapsed(place: Path, tmp_path: Path) -> None:
    """The card as training left it, read as the report and the end of a call read it."""
    run = tmp_path / "demo-embedded"
    for module in ("gan", "vae"):
        target = run / "train" / "nyu" / f"crossing_{module}" / "seed0"
        target.mkdir(parents=True)
        shutil.copy(place / module / "checkpoint.json", target)
    collapsed, sound = read_trainings(run)
    assert (sound.kind, sound.remarks) == ("crossing.vae", ())
    assert (collapsed.kind, has_collapsed(collapsed.remarks)) == ("crossing.gan", True)
    [line] = tell_remarks((sound, collapsed), ())
    assert line == "The drawing of images has collapsed in 1 of 2 trainings: gan on NYU Hand Pose, seed 0."
    assert tell_remarks((sound,), ()) == ()


def test_what_a_collapse_is() -> None:
    assert not Health(0.25, 0.20, 0.9).collapsed
    assert Health(0.25, 0.10, 0.5).collapsed
    assert Health(0.25, 0.25, 1.0).collapsed
    assert not Health(0.25, 0.25, float("nan")).collapsed


def test_statistics_are_those_of_real_images() -> None:
    network, images = Discriminator(SIZE_PX).train(), torch.rand(80, 1, SIZE_PX, SIZE_PX)
    network.look(torch.ones(40, 1, SIZE_PX, SIZE_PX))
    judged = network.judging[0][1].running_mean.clone()
    measure_statistics(network, images)
    first = network.shared[0]
    with torch.no_grad():
        maps = first[0](images)
    torch.testing.assert_close(first[1].running_mean, maps.mean(dim=(0, 2, 3)), atol=1e-5, rtol=1e-4)
    assert first[1].momentum == 0.1
    assert torch.equal(network.judging[0][1].running_mean, judged)
    assert network.training


def test_each_side_steps_by_its_own_loss(tmp_path: Path) -> None:
    """Two weights, two losses that know both; Adam's first step is the rate, against the sign of the slope."""
    first, second = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    begun = first.weight.item(), second.weight.item()

    def step(crops: CropBatch) -> Step:
        ours, theirs = first.weight.sum(), second.weight.sum()
        return Step(ours - 5 * theirs, theirs - 5 * ours, torch.tensor([1.0, 1.0, 0.5]), {})

    settings = CrossingGan(generator_rate=0.1, learning_rate=0.01, last_rate_share=0.5)
    training = AdversarialTraining((first, second), settings, 2, step)
    run_epochs(training, make_frames(8), epochs=1, batch=4, seed=0, place=tmp_path, tell=lambda *_: None)
    # The second step has the rate at 0.5 to the power of a half.
    both = 1 + 0.5**0.5
    assert first.weight.item() == pytest.approx(begun[0] - 0.1 * both, abs=1e-5)
    assert second.weight.item() == pytest.approx(begun[1] - 0.01 * both, abs=1e-5)
    assert training.read_health() == (1.0, 1.0, 0.5)


def make_frames(frames: int) -> dict[str, torch.Tensor]:
    return {
        "depth": torch.zeros(frames, 1, 8, 8),
        "joints": torch.zeros(frames, 2, 3),
        "centre_mm": torch.zeros(frames, 3),
        "cube_mm": torch.ones(frames),
        "focal_px": torch.ones(frames, 2),
        "principal_px": torch.ones(frames, 2),
    }
