"""The pins agree with one another, every verb is there, and a machine without EGL is told what to run."""

import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from handbench.rendering.renderer import INSTALL_OPENGL

ROOT = Path(__file__).resolve().parents[1]
VERBS = (
    "help",
    "setup",
    "demo",
    "test",
    "check",
    "trust",
    "report",
    "reference",
    "release",
    "dashboard",
    "bench",
    "cluster",
    "clean",
)


def bare_name(requirement: str) -> str:
    """The package of a requirement, spelled as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9_.-]", requirement)[0]).lower()


def read_pins(lines: list[str]) -> dict[str, str]:
    pins = dict(line.strip().split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {bare_name(name): version for name, version in pins.items()}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return read_pins((ROOT / "constraints.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    dependencies = yaml.safe_load((ROOT / "envs" / "handbench.yaml").read_text())["dependencies"]
    return read_pins(next(entry["pip"] for entry in dependencies if isinstance(entry, dict)))


def test_conda_pins_exactly_the_direct_dependencies_at_the_same_versions(
    project: dict, constraints: dict[str, str], environment: dict[str, str]
) -> None:
    direct = {bare_name(requirement) for requirement in project["dependencies"]}
    assert set(environment) == direct
    assert environment == {name: constraints[name] for name in direct}


def test_every_tool_of_the_extras_is_pinned(project: dict, constraints: dict[str, str]) -> None:
    wanted = {bare_name(entry) for extra in project["optional-dependencies"].values() for entry in extra}
    # An extra may name another extra of the project itself.
    assert wanted - {project["name"]} <= set(constraints)


def test_pins_are_public_versions(constraints: dict[str, str]) -> None:
    assert constraints["torch"] == "2.13.0"
    assert not [version for version in constraints.values() if "+" in version]


def test_the_lightning_package_is_never_asked_for(project: dict, constraints: dict[str, str]) -> None:
    # Two of its 2.6 releases carried malware; pytorch-lightning is the package that did not.
    everything = [
        *project["dependencies"],
        *(entry for extra in project["optional-dependencies"].values() for entry in extra),
    ]
    assert "pytorch-lightning" in constraints
    assert "lightning" not in {*constraints, *map(bare_name, everything)}


def test_the_ranges_admit_other_machines(project: dict) -> None:
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "torch>=2.11" in project["dependencies"]


def test_conda_takes_conda_forge_alone() -> None:
    environment = yaml.safe_load((ROOT / "envs" / "handbench.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert "python=3.11" in environment["dependencies"]


def test_make_help_lists_every_verb_on_a_line() -> None:
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in said.splitlines()] == list(VERBS)
    assert all(len(line.split()) > 2 for line in said.splitlines())


def test_ci_runs_the_tests_and_then_the_smoke_pipeline() -> None:
    path = ROOT / ".ci" / "run"
    assert path.stat().st_mode & stat.S_IXUSR
    lines = path.read_text().splitlines()
    assert "set -euo pipefail" in lines
    pipeline = lines.index("make demo CONFIG=config/smoke.yaml")
    assert lines.index("make test") < pipeline
    # Slurm's results are held against those of the pipeline.
    assert pipeline < lines.index('make cluster CLUSTER="cluster and not slow" AGAINST=results')


def test_the_citation_names_the_five_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == "MIT"
    assert sorted(paper["year"] for paper in citation["references"]) == [2015, 2016, 2017, 2017, 2019]
    assert all(paper["authors"] and paper["title"] for paper in citation["references"])


def write_command(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder to set up, with doubles for python, id and apt-get; EGL is "there" once the file `egl` is."""
    commands = tmp_path / "bin"
    commands.mkdir()
    write_command(
        commands,
        "apt-get",
        f'echo "apt-get $*" >> {tmp_path}/calls; if [ "$1" = install ]; then touch {tmp_path}/egl; fi',
    )
    venv_python = f'case $1 in -m) echo pip "$@" >> {tmp_path}/calls ;; -c) test -e {tmp_path}/egl ;; esac'
    write_command(commands, "venv-python", venv_python)
    made = f"mkdir -p .venv/bin; cp {commands}/venv-python .venv/bin/python; cp {commands}/venv-python .venv/bin/pip"
    write_command(commands, "python3", f'if [ "$1" = -m ]; then {made}; fi')
    return tmp_path


def set_up(machine: Path, *, user: int) -> subprocess.CompletedProcess[str]:
    write_command(machine / "bin", "id", f"echo {user}")
    return subprocess.run(
        ["bash", str(ROOT / "envs" / "setup.sh"), "dev"],
        cwd=machine,
        env=os.environ | {"PATH": f"{machine / 'bin'}:{os.environ['PATH']}", "PYTHON": "python3"},
        capture_output=True,
        text=True,
    )


def test_set_up_installs_from_the_constraints_and_stays_quiet_where_egl_is(machine: Path) -> None:
    (machine / "egl").touch()
    done = set_up(machine, user=1000)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    calls = (machine / "calls").read_text()
    assert calls.startswith("pip -m pip install ")
    assert "-c constraints.txt -e .[dev]" in calls
    assert "apt-get" not in calls


def test_set_up_as_root_installs_egl(machine: Path) -> None:
    done = set_up(machine, user=0)
    assert done.returncode == 0
    assert done.stdout == "setup: no EGL for pyrender: installing libegl1 libgl1 libgl1-mesa-dri\n"
    assert "apt-get install -y" in (machine / "calls").read_text()


def test_set_up_as_anyone_else_prints_the_one_command_and_carries_on(machine: Path) -> None:
    done = set_up(machine, user=1000)
    assert done.returncode == 0
    command, meanwhile = done.stdout.splitlines()
    assert command == f"setup: no EGL for pyrender; run: {INSTALL_OPENGL}"
    assert "software renderer" in meanwhile
    assert "apt-get" not in (machine / "calls").read_text()


def test_set_up_with_the_wrong_python_is_one_line(machine: Path) -> None:
    write_command(machine / "bin", "python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    done = set_up(machine, user=1000)
    assert done.returncode == 1
    assert done.stderr == "setup: expected Python 3.11, 3.12 or 3.13, found Python 3.9.2; set PYTHON=...\n"
