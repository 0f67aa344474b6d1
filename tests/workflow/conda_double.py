"""A TEST DOUBLE of conda: the few calls that snakemake makes, nothing else. It proves wiring, not that conda solves.

An "environment" is a venv that sees the packages of the Python running the tests; a pip pin of the environment file
that those do not meet is refused. The package itself is not among them: jobs have to find it in the checkout.
"""

import json
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

import yaml

ACTIVATE = """
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
"""


def main(prefix: Path, words: list[str]) -> int:
    match words:
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(prefix), "platform": "linux-64"}))
        case ["--version"]:
            print("conda 26.1.0")
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", "-y", "--tarballs"]:
            pass
        case ["env", "create", "--quiet", "--no-default-packages", "--file", file, "--prefix", target]:
            create(Path(file), Path(target))
        case _:
            print(f"the conda double knows no such call: {words}", file=sys.stderr)
            return 1
    return 0


def create(file: Path, target: Path) -> None:
    dependencies = yaml.safe_load(file.read_text())["dependencies"]
    for pin in next(entry["pip"] for entry in dependencies if isinstance(entry, dict)):
        name, wanted = pin.split("==")
        found = version(name).split("+")[0]
        if found != wanted:
            raise SystemExit(f"the conda double has {name} {found} where {file} pins {wanted}")
    venv.create(target, with_pip=False)
    packages = next(target.glob("lib/python*/site-packages"))
    # A path file names a folder without reading the path files in it, such as that of an editable install.
    (packages / "double.pth").write_text(sysconfig.get_path("purelib") + "\n")


def install(prefix: Path) -> Path:
    """Lay the double out as snakemake expects conda: returns the folder for PATH."""
    folder = prefix / "bin"
    folder.mkdir(parents=True)
    (folder / "activate").write_text(ACTIVATE)
    command = folder / "conda"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "{prefix}" "$@"\n')
    command.chmod(0o755)
    return folder


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
