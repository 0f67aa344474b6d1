"""The package as it is installed outside of a checkout: all its files, and a report written with them."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel of this checkout holds, unpacked as pip would do it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # The bare back end: no second environment has to be fetched for it.
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


def list_files(package: Path) -> set[str]:
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_wheel_holds_every_file_of_the_package(installed: Path) -> None:
    assert list_files(installed / "handbench") == list_files(ROOT / "src" / "handbench")


def test_data_files_are_named_for_packages_that_exist() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, patterns in named.items():
        folder = ROOT / "src" / package.replace(".", "/")
        assert (folder / "__init__.py").is_file(), package
        assert [pattern for pattern in patterns if not list(folder.glob(pattern))] == []


def test_an_installed_package_writes_a_report(installed: Path, tmp_path: Path) -> None:
    run = tmp_path / "results" / "smoke-embedded"
    run.mkdir(parents=True)
    (run / "call.json").write_text(json.dumps({}))
    asked = "import handbench; print(handbench.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def give(*words: str) -> subprocess.CompletedProcess[str]:
        # -P: never a package that lies in the working folder.
        return subprocess.run(
            [sys.executable, "-P", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert Path(give("-c", asked).stdout.strip()) == installed / "handbench" / "__init__.py"
    done = give("-m", "handbench", "report", str(run), "--out", "report")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "Report of the smoke run on embedded data" in (tmp_path / "report" / "index.html").read_text()
