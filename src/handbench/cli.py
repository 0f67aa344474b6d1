"""The `handbench` command line: one subcommand a pipeline stage, and what a person asks of their own files.

Each `run_<word>` imports what it needs when it runs, so `--help` stays quick; the digest of a stage starts from the
function of its name.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from handbench import __version__
from handbench.conventions import DATASETS
from handbench.errors import BadInput

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; bad input is one line on stderr and status 1."""
    options = _build_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except BadInput as error:
        print(f"handbench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("handbench: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; keep the interpreter from complaining when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run_synthesize(options: argparse.Namespace) -> None:
    from handbench.datasets.synthesize import synthesize

    synthesize(
        options.dataset,
        options.out,
        frames=dict(options.frames),
        seed=options.seed,
        jobs=options.jobs,
        renderer=options.renderer,
    )


def run_download(options: argparse.Namespace) -> None:
    from handbench.datasets.download import download

    to = options.to or Path("results", "download", options.dataset)
    print(download(options.dataset, to, mirrors=options.mirror))


def run_doctor(options: argparse.Namespace) -> int:
    from handbench.datasets.doctor import examine

    diagnosis = examine(options.folder, deep=options.deep)
    print(json.dumps(diagnosis.as_dict(), indent=2) if options.json else diagnosis)
    return 0 if diagnosis.usable else 1


def run_crop(options: argparse.Namespace) -> None:
    from handbench.datasets.crops import build_crops
    from handbench.datasets.importers import list_frames

    listing = list_frames(options.dataset, options.root, options.split)
    build_crops(
        listing,
        centre=options.centre,
        size_px=options.size,
        out=options.out,
        allow_skips=options.allow_skips,
        jobs=options.jobs,
    )


def run_show(options: argparse.Namespace) -> None:
    split = options.split or DATASETS[options.dataset].splits[-1]
    root = options.root or Path("results", "demo-embedded", "synthesize", options.dataset, "raw")
    if options.root is None and not root.is_dir():
        raise BadInput(
            root, expected="the embedded demo data", found="no such folder", fix="run make demo or give --root"
        )
    from handbench.datasets.importers import list_frames
    from handbench.report.contact_sheet import write_contact_sheet

    out = options.out or Path(f"{options.dataset}-{split}.png")
    write_contact_sheet(list_frames(options.dataset, root, split), out, frames=options.frames)
    print(out)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handbench", description="Depth-based 3D hand pose, from data to printed table."
    )
    parser.add_argument("--version", action="version", version=f"handbench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_synthesize(commands)
    _add_download(commands)
    _add_doctor(commands)
    _add_crop(commands)
    _add_show(commands)
    return parser


def _add_synthesize(commands: argparse._SubParsersAction) -> None:
    words = "write an embedded dataset in a real dataset's own files"
    parser = _add_command(commands, "synthesize", words, run_synthesize)
    _add_dataset(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for raw/, truth.npz, manifest.json"
    )
    parser.add_argument(
        "--frames",
        type=_parse_count,
        nargs="+",
        required=True,
        metavar="SPLIT=N",
        help="for example train=3000 test=1000",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same files (default 0)")
    parser.add_argument(
        "--renderer", choices=("auto", "software", "opengl"), default="auto", help="what draws the depth"
    )
    _add_jobs(parser)


def _add_download(commands: argparse._SubParsersAction) -> None:
    words = "fetch a real dataset, or the published predictions; a cut download goes on where it stopped"
    parser = _add_command(commands, "download", words, run_download)
    parser.add_argument(
        "dataset", choices=(*DATASETS, "published"), metavar="DATASET", help=f"{', '.join(DATASETS)} or published"
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="target folder (default results/download/DATASET)")
    parser.add_argument(
        "--mirror",
        nargs="*",
        default=[],
        metavar="URL",
        help="addresses tried before the official one; file:///folder works",
    )


def _add_doctor(commands: argparse._SubParsersAction) -> None:
    words = "say which dataset and release lies in a folder, what is missing, corrupt or extra, and how to mend it"
    parser = _add_command(commands, "doctor", words, run_doctor)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--deep", action="store_true", help="decode every frame (default: sizes, headers and ends)")
    parser.add_argument("--json", action="store_true", help="for machines")


def _add_crop(commands: argparse._SubParsersAction) -> None:
    words = "cut the hand out of every frame of a split into a memory-mapped store"
    parser = _add_command(commands, "crop", words, run_crop)
    _add_dataset(parser)
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the dataset's own files")
    parser.add_argument("--split", required=True, metavar="S", help="train, test or all, as the dataset has them")
    parser.add_argument("--centre", required=True, metavar="C", help="joint, joint-<name>, com or block")
    parser.add_argument(
        "--size", type=_parse_positive, default=128, metavar="PX", help="edge of the patch in pixels (default 128)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
    parser.add_argument(
        "--allow-skips", type=int, default=0, metavar="N", help="unreadable frames that may be left out (default 0)"
    )
    _add_jobs(parser)


def _add_show(commands: argparse._SubParsersAction) -> None:
    words = "draw a contact sheet: depth in false colour with the skeleton over it"
    parser = _add_command(commands, "show", words, run_show)
    _add_dataset(parser)
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="folder of the dataset's own files (default: the embedded demo data)"
    )
    parser.add_argument("--split", metavar="S", help="default: the dataset's last split")
    parser.add_argument("--frames", type=_parse_positive, default=16, metavar="N", help="how many frames (default 16)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default DATASET-SPLIT.png")


def _add_command(
    commands: argparse._SubParsersAction, name: str, words: str, run: Callable[[argparse.Namespace], int | None]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words.capitalize() + ".")
    parser.set_defaults(run=run)
    return parser


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=tuple(DATASETS), metavar="DATASET", help=", ".join(DATASETS))


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=_parse_positive, default=1, metavar="N", help="worker processes (default 1)")


def _parse_count(text: str) -> tuple[str, int]:
    split, equals, count = text.partition("=")
    if not (split and equals):
        raise argparse.ArgumentTypeError(f"expected SPLIT=N such as train=3000, found {text!r}")
    return split, _parse_positive(count)


def _parse_positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text!r}")
    return int(text)
