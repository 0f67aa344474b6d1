"""Mutants that follow the code: atheris makes bytes that reach new lines of the readers that are plain Python.

    pip install atheris                                        wheels for Linux; not among the project's own packages
    python -m tests.mutation.guided .mat --seconds 60          others: text, .npy, archive, JSON, joint.txt

It prints nothing where every input was read or refused in one line; else it leaves the input and its traceback.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["handbench"]):
    from handbench.datasets.array_file import read_arrays
    from handbench.datasets.labels import read_joint_text
    from handbench.datasets.mat_file import read_arrays as read_mat
    from handbench.evaluation.table_file import read_table
    from handbench.json_file import read_object

from handbench.errors import BadInput
from tests.mutation.catalogue import READERS

MOST_BYTES = 1 << 24
TARGETS: dict[str, tuple[str, Callable[[Path], object]]] = {
    ".mat": ("NYU labels, plain .mat", lambda path: read_mat(path, ("joint_xyz", "joint_uvd"), most_bytes=MOST_BYTES)),
    "text": ("predictions, text", read_table),
    ".npy": ("own depth, .npy", read_table),
    "archive": ("predictions, .npz", lambda path: read_arrays(path, holds="arrays", fix="save them again")),
    "JSON": ("own predictions", lambda path: read_object(path, holds="a card", fix="write it again")),
    "joint.txt": ("MSRA15 joint.txt", lambda path: read_joint_text(path, counted=True)),
}
"""Word: the reader of the catalogue whose specimen it begins with, and what reads the bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.guided")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    name, read = TARGETS[options.target]
    with tempfile.TemporaryDirectory() as folder:
        path, corpus = Path(folder, "input"), Path(folder, "corpus")
        Path(folder, "specimen").mkdir()
        READERS[name].write(Path(folder, "specimen"))
        corpus.mkdir()
        for number, file in enumerate(READERS[name].files):
            (corpus / str(number)).write_bytes(Path(folder, "specimen", file).read_bytes())

        def test_one_input(content: bytes) -> None:
            path.write_bytes(content)
            try:
                read(path)
                line = ""
            except BadInput as refusal:
                line = str(refusal)
            if len(line.splitlines()) > 1:
                raise ValueError(f"more than one line: {line}")

        words = [f"-max_total_time={options.seconds}", "-timeout=5", "-rss_limit_mb=3000", "-max_len=20000"]
        atheris.Setup([sys.argv[0], *words, str(corpus)], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
