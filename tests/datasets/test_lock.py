"""Two builders of one output: the second is told so, and an ended one never stands in the way."""

import subprocess
import sys
from pathlib import Path

import pytest

from handbench.datasets.download import download
from handbench.datasets.lock import hold_alone
from handbench.datasets.synthesize import synthesize
from handbench.errors import BadInput


def test_a_second_builder_is_refused_while_the_first_is_at_it(tmp_path: Path) -> None:
    with hold_alone(tmp_path / "out"):
        with pytest.raises(BadInput, match="another process at it"), hold_alone(tmp_path / "out"):
            pass
        with hold_alone(tmp_path / "elsewhere"):
            pass
    with hold_alone(tmp_path / "out"):
        pass


def test_a_killed_builder_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from handbench.datasets.lock import hold_alone\n"
        "with hold_alone(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
    assert killed.returncode == -9
    with hold_alone(tmp_path / "out"):
        pass


def test_synthesize_leaves_another_ones_work_alone(tmp_path: Path) -> None:
    out = tmp_path / "nyu"
    with hold_alone(out), pytest.raises(BadInput, match="wait for it to end"):
        synthesize("nyu", out, frames={"train": 1, "test": 1}, seed=0)
    assert not out.exists()


def test_download_leaves_another_ones_work_alone(tmp_path: Path) -> None:
    to = tmp_path / "msra"
    with hold_alone(to), pytest.raises(BadInput, match="wait for it to end"):
        download("msra", to, mirrors=[str(tmp_path / "nowhere")])
    assert not to.exists()
