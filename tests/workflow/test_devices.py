"""A module's devices and nodes on their way from the config to its training."""

import pytest
from checkout import Checkout

TARGET = "results/demo-embedded/train/nyu/feedback15_predictor/seed0/checkpoint.json"


def plan(checkout: Checkout, entry: str) -> list[str]:
    """What a dry run says of the training."""
    (checkout.root / "mine.yaml").write_text(f"modules:\n  feedback15_predictor: {entry}\n")
    done = checkout.snakemake("--dry-run", "--cores", "64", TARGET, "--configfile", "mine.yaml")
    lines = (done.stdout + done.stderr).splitlines()
    return [line.strip() for line in lines[lines.index("rule train:") :]]


def test_a_training_by_one_device_is_told_nothing_of_devices(checkout: Checkout) -> None:
    said = "\n".join(plan(checkout, "{threads: 3}"))
    assert "Shell command: python -m handbench train feedback15.predictor" in said
    assert "--devices" not in said
    assert "threads: 3\n" in said


def test_each_device_has_its_threads(checkout: Checkout) -> None:
    said = "\n".join(plan(checkout, "{threads: 3, devices: 4}"))
    assert "--threads 3 --devices 4 --nodes 1 --set" in said
    assert "srun" not in said
    assert "threads: 12\n" in said


def test_several_machines_are_started_by_slurm(checkout: Checkout) -> None:
    said = "\n".join(plan(checkout, "{devices: 2, nodes: 4}"))
    words = "srun --nodes=4 --ntasks=4 --ntasks-per-node=1 --kill-on-bad-exit python -m handbench train"
    assert f"Shell command: {words} feedback15.predictor" in said
    assert "--devices 2 --nodes 4 --set" in said


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("crossing_gan: {devices: 2}", "modules.crossing_gan: crossing.gan is trained by one process"),
        (
            "feedback15_predictor: {devices: 3}",
            "modules.feedback15_predictor: a batch of 64 cannot be shared evenly by 3 processes",
        ),
        ("feedback15: {nodes: 2}", "modules.feedback15: feedback_loop is trained by one process"),
    ],
)
def test_what_cannot_be_shared_out_is_one_line_before_anything_runs(checkout: Checkout, module: str, said: str) -> None:
    (checkout.root / "mine.yaml").write_text(f"modules:\n  {module}\n")
    done = checkout.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert done.returncode == 1
    assert f"expected settings that agree, found {said}" in done.stdout + done.stderr
