"""The `handbench` command line: one subcommand a pipeline stage, and what a person asks of their own files.

Each `run_<word>` imports what it needs when it runs, so `--help` stays quick; the digest of a stage starts from the
function of its name.
"""

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from handbench import __version__
from handbench.conventions import DATASETS
from handbench.errors import BadInput

INTERRUPTED = 130
BROKEN_PIPE = 141
TRACEBACK = "HANDBENCH_TRACEBACK"
LEAST_PX, MOST_PX = 16, 512
"""Bounds of a patch's edge, the same as in the configuration."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; bad input, and a disk or memory that refuses, is one line on stderr and status 1."""
    if sys.stdout is None:  # closed by whoever started this
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no UTF-8 must not end the work that prints it.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _build_parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. A listing may end there; work that stops half done is no success.
        _drop_stdout()
        if options.run is run_doctor:
            return 0
        print("handbench: stopped, nobody reads its output; the same command goes on from here", file=sys.stderr)
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print("handbench: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except (BadInput, OSError, MemoryError, UnicodeError) as error:
        if os.environ.get(TRACEBACK) == "1":
            traceback.print_exc()
        print(f"handbench: {_tell(error)}", file=sys.stderr)
        return 1
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        print(f"handbench: {_tell(error)}", file=sys.stderr)
        return 1
    return status


def _tell(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError):
        text = f"not enough memory; {text or 'ask for less at once'}"
    return " ".join(text.splitlines()) or type(error).__name__


def _drop_stdout() -> None:
    """Keep the interpreter from complaining when it flushes what nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def run_evaluate(options: argparse.Namespace) -> None:
    from handbench.evaluation.evaluate import evaluate
    from handbench.evaluation.evaluation_files import default_folder, save_evaluation
    from handbench.evaluation.evaluation_text import render_text

    evaluation = evaluate(
        options.prediction,
        options.dataset,
        options.method,
        ground_truth=options.ground_truth,
        record=options.record,
        against=options.against,
        layout=options.layout,
        order=options.order,
        against_layout=options.against_layout,
        against_order=options.against_order,
        ground_truth_layout=options.ground_truth_layout,
        frames=options.frames,
    )
    folder = options.out or default_folder(options.dataset, options.method)
    save_evaluation(evaluation, folder)
    if options.json:
        print(json.dumps(evaluation.as_dict(), allow_nan=False))
    else:
        print(render_text(evaluation))
        print(f"saved in {folder}")


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handbench",
        description="Depth-based 3D hand pose, from data to printed table.",
        epilog=f"{TRACEBACK}=1 in the environment shows where in the program an error arose.",
    )
    parser.add_argument("--version", action="version", version=f"handbench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_synthesize(commands)
    _add_download(commands)
    _add_doctor(commands)
    _add_crop(commands)
    _add_show(commands)
    _add_evaluate(commands)
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
    parser.add_argument("--seed", type=_parse_natural, default=0, help="same seed, same files (default 0)")
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
        "--size",
        type=_parse_size,
        default=128,
        metavar="PX",
        help="edge of the patch in pixels, 16 to 512 (default 128)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
    parser.add_argument(
        "--allow-skips",
        type=_parse_natural,
        default=0,
        metavar="N",
        help="frames that may be left out: unreadable, or with the hand outside the image (default 0)",
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


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    words = "measure a file of predictions and set it beside the published methods"
    parser = _add_command(commands, "evaluate", words, run_evaluate)
    parser.add_argument("prediction", type=Path, metavar="FILE", help="text, CSV, .npy or .npz: see docs/evaluation.md")
    _add_dataset(parser)
    parser.add_argument("method", metavar="METHOD", help="what the table calls it")
    parser.add_argument("--ground-truth", type=Path, metavar="FILE", help="labels (default: the downloaded record)")
    parser.add_argument("--record", type=Path, metavar="DIR", help="folder of the published record")
    parser.add_argument("--against", type=Path, metavar="FILE", help="other predictions: the paired difference")
    for prefix, whose in (("", "the predictions"), ("against-", "--against"), ("ground-truth-", "the labels")):
        parser.add_argument(
            f"--{prefix}layout", default="auto", metavar="L", help=f"of {whose}: auto, uvd, xyz, xyz-up, xyz-msra"
        )
    parser.add_argument("--order", default="scored", metavar="O", help="joint order: scored, conv, lie-x, or 13,11,...")
    parser.add_argument("--against-order", default="scored", metavar="O", help="joint order of --against")
    parser.add_argument("--frames", type=Path, metavar="DIR", help="the NYU images, for predictions in pixels alone")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default results/evaluate/DATASET/METHOD")
    parser.add_argument("--json", action="store_true", help="for machines")


def _add_command(
    commands: argparse._SubParsersAction, name: str, words: str, run: Callable[[argparse.Namespace], int | None]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words.capitalize() + ".")
    parser.set_defaults(run=run)
    return parser


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=tuple(DATASETS), metavar="DATASET", help=", ".join(DATASETS))


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs", type=_parse_positive, default=1, metavar="N", help="frames worked on at once (default 1)"
    )


def _parse_count(text: str) -> tuple[str, int]:
    split, equals, count = text.partition("=")
    if not (split and equals):
        raise argparse.ArgumentTypeError(f"expected SPLIT=N such as train=3000, found {text!r}")
    return split, _parse_positive(count)


def _parse_positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text!r}")
    return int(text)


def _parse_natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, found {text!r}")
    return int(text)


def _parse_size(text: str) -> int:
    size_px = _parse_positive(text)
    if not LEAST_PX <= size_px <= MOST_PX:
        raise argparse.ArgumentTypeError(f"expected {LEAST_PX} to {MOST_PX} pixels, found {text}")
    return size_px
