"""`snakemake --use-conda` with a double in conda's place: which environment jobs run in and where the package is."""

import json
import os
from pathlib import Path

import conda_double
import pytest
from checkout import Checkout

TINY = ("--use-conda", "--configfile", "tiny.yaml")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{conda_double.install(tmp_path / 'conda')}:{os.environ['PATH']}"


def test_jobs_run_in_the_environment_and_find_the_package_in_the_checkout(doubled: Checkout, path: str) -> None:
    doubled.replace("datasets/synthesize.py", "import json\n", "import json\nimport sys\n\nimport handbench\n")
    doubled.replace(
        "datasets/synthesize.py", '"seed": seed', '"seed": seed, "python": sys.prefix, "package": handbench.__file__'
    )
    done = doubled.snakemake(*TINY, PATH=path)
    assert done.returncode == 0, done.stderr
    made = json.loads((doubled.root / "results/smoke-embedded/synthesize/icvl/manifest.json").read_text())
    environments = doubled.root / ".snakemake" / "conda"
    assert Path(made["python"]).parent == environments
    assert made["package"] == str(doubled.root / "src" / "handbench" / "__init__.py")
    assert len([folder for folder in environments.iterdir() if folder.is_dir()]) == 1, "one environment for all rules"


def test_a_pin_that_the_packages_do_not_meet_is_refused(doubled: Checkout, path: str) -> None:
    file = doubled.root / "envs" / "handbench.yaml"
    pinned = file.read_text()
    unmet = pinned.replace("scipy==", "scipy==9")
    assert unmet != pinned
    file.write_text(unmet)
    done = doubled.snakemake(*TINY, "--conda-create-envs-only", PATH=path)
    assert done.returncode == 1
    assert "the conda double has scipy" in done.stdout + done.stderr
