"""The words of the command line: every subcommand's arguments, what they mean and which values they take."""

import argparse
from pathlib import Path

from handbench import __version__
from handbench.argument_words import (
    add_command,
    add_dataset,
    add_true_objects,
    parse_count,
    parse_folder,
    parse_natural,
    parse_positive,
    parse_size,
)
from handbench.conventions import HANDOBJECT, HANDS, ONE_HAND, RECORDED, SYNTHESIZED
from handbench.model_arguments import add_models
from handbench.own_arguments import add_camera, add_predict, add_refine

TRACEBACK = "HANDBENCH_TRACEBACK"


def build_parser() -> argparse.ArgumentParser:
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
    _add_render(commands)
    _add_crop(commands)
    _add_show(commands)
    _add_fit(commands)
    _add_train(commands)
    add_predict(commands)
    _add_walk(commands)
    add_refine(commands)
    _add_export(commands)
    add_models(commands)
    _add_probe(commands)
    _add_evaluate(commands)
    _add_mlflow(commands)
    _add_track(commands)
    _add_report(commands)
    return parser


def _add_synthesize(commands: argparse._SubParsersAction) -> None:
    words = "write an embedded dataset in a real dataset's own files"
    parser = add_command(commands, "synthesize", words)
    add_dataset(parser, SYNTHESIZED)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for raw/, truth.npz, manifest.json"
    )
    parser.add_argument(
        "--frames",
        type=parse_count,
        nargs="+",
        required=True,
        metavar="SPLIT=N",
        help="for example train=3000 test=1000",
    )
    parser.add_argument(
        "--stride",
        type=parse_count,
        nargs="*",
        default=[],
        metavar="SPLIT=N",
        help="keep each N-th frame of longer recordings: as many frames show more poses (default: every frame)",
    )
    _add_drawing(parser)


def _add_download(commands: argparse._SubParsersAction) -> None:
    words = "fetch a real dataset, or the published predictions; a cut download goes on where it stopped"
    parser = add_command(commands, "download", words)
    parser.add_argument(
        "dataset", choices=(*RECORDED, "published"), metavar="DATASET", help=f"{', '.join(RECORDED)} or published"
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
    parser = add_command(commands, "doctor", words)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--deep", action="store_true", help="decode every frame (default: sizes, headers and ends)")
    parser.add_argument("--json", action="store_true", help="for machines")


def _add_render(commands: argparse._SubParsersAction) -> None:
    words = "render hands to learn from: with objects before recorded hands and in grasps of the hand model, or alone"
    parser = add_command(commands, "render", words)
    sets = (*HANDOBJECT.splits, HANDS.name)
    parser.add_argument("set", choices=sets, metavar="SET", help=", ".join(sets))
    parser.add_argument(
        "--hands",
        type=parse_folder,
        nargs="*",
        default=[],
        metavar="DATASET=DIR",
        help="hand frames that objects are rendered before: msra=DIR, msra14=DIR",
    )
    parser.add_argument(
        "--frames",
        type=parse_count,
        nargs="+",
        required=True,
        metavar="KIND=N",
        help="semi=4000 full=2000, or one; of hands full=N",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for raw/, truth.npz, manifest.json"
    )
    _add_drawing(parser)


def _add_crop(commands: argparse._SubParsersAction) -> None:
    words = "cut the hand out of every frame of a split into a memory-mapped store"
    parser = add_command(commands, "crop", words)
    add_dataset(parser)
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the dataset's own files")
    parser.add_argument("--split", required=True, metavar="S", help="train, test, all: as the dataset has them")
    parser.add_argument(
        "--revised",
        type=Path,
        metavar="PATH",
        help="dexter: revised annotations in the place of the shipped ones, one file or a folder with one a sequence",
    )
    parser.add_argument(
        "--centre", required=True, metavar="C", help="joint, joint-<name>, com, com-<mm>, block, seen or localized"
    )
    learned = parser.add_argument_group("with --centre localized")
    learned.add_argument("--localizer", type=Path, metavar="CHECKPOINT", help="folder of a trained localizer")
    learned.add_argument("--store", type=Path, metavar="DIR", help="crops of the same frames that it looks at")
    parser.add_argument(
        "--size",
        type=parse_size,
        default=128,
        metavar="PX",
        help="edge of the patch in pixels, 16 to 512 (default 128)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
    parser.add_argument(
        "--allow-skips",
        type=parse_natural,
        default=0,
        metavar="N",
        help="frames that may be left out: unreadable, or with the hand outside the image (default 0)",
    )
    _add_jobs(parser)


def _add_show(commands: argparse._SubParsersAction) -> None:
    words = "draw a contact sheet: depth in false colour with the skeleton over it"
    parser = add_command(commands, "show", words)
    add_dataset(parser)
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="folder of the dataset's own files (default: the embedded demo data)"
    )
    parser.add_argument("--split", metavar="S", help="default: the dataset's last split")
    parser.add_argument("--frames", type=parse_positive, default=16, metavar="N", help="how many frames (default 16)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default DATASET-SPLIT.png")


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    words = "measure a file of predictions and set it beside the published methods"
    parser = add_command(commands, "evaluate", words)
    parser.add_argument("prediction", type=Path, metavar="FILE", help="text, CSV, .npy or .npz: see docs/evaluation.md")
    add_dataset(parser)
    parser.add_argument("method", metavar="METHOD", help="what the table calls it")
    parser.add_argument(
        "--ground-truth", type=Path, metavar="FILE", help="labels, or a crop store (default: the downloaded record)"
    )
    parser.add_argument("--record", type=Path, metavar="DIR", help="folder of the published record")
    parser.add_argument("--against", type=Path, metavar="FILE", help="other predictions: the paired difference")
    for prefix, whose in (("", "the predictions"), ("against-", "--against"), ("ground-truth-", "the labels")):
        parser.add_argument(
            f"--{prefix}layout", default="auto", metavar="L", help=f"of {whose}: auto, uvd, xyz, xyz-up, xyz-msra"
        )
    parser.add_argument("--order", default="scored", metavar="O", help="joint order: scored, conv, lie-x, or 13,11,...")
    parser.add_argument("--against-order", default="scored", metavar="O", help="joint order of --against")
    parser.add_argument("--frames", type=Path, metavar="DIR", help="the NYU images, for predictions in pixels alone")
    for name, metavar, words in (
        ("poses", "DIR", "poses fitted to the labels, for predictions that give angles"),
        ("truth", "FILE", "truth.npz of embedded data, for predictions of hand and object or of bones' turns"),
        ("bias", "FILE", "probe.json of what predicts, which knows its errors on training frames"),
    ):
        parser.add_argument(f"--{name}", type=Path, metavar=metavar, help=words)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default results/evaluate/DATASET/METHOD")
    parser.add_argument("--json", action="store_true", help="for machines; draws no figures")
    _add_call(parser)


def _add_fit(commands: argparse._SubParsersAction) -> None:
    words = "fit a hand and its poses to labelled joints: those of a crop store, or NYU's published ones"
    parser = add_command(commands, "fit", words)
    add_dataset(parser, ONE_HAND)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--store", type=Path, metavar="DIR", help="crop store whose labels are fitted")
    source.add_argument("--record", type=Path, metavar="DIR", help="folder of the published record")
    parser.add_argument(
        "--hand",
        type=Path,
        metavar="DIR",
        help="fit of a training set: take its hand and bounds, of other data the hand",
    )
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth.npz of embedded data: errors of the angles")
    parser.add_argument(
        "--pso-frames",
        type=parse_positive,
        default=10_000,
        metavar="N",
        help="frames, evenly spaced, that particle swarms fit too (default 10000: all of a test set)",
    )
    parser.add_argument("--seed", type=parse_natural, default=0, metavar="S", help="of the swarms (default 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for fit.json and poses.npz")


def _add_train(commands: argparse._SubParsersAction) -> None:
    words = "train a module on the crops of one split"
    parser = add_command(commands, "train", words)
    # Which kinds there are is for the training to say: asking here would load pydantic for every --help.
    parser.add_argument("kind", metavar="KIND", help="such as nearest_neighbour: a file of methods/")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="crop store to train on")
    parser.add_argument(
        "--needs",
        type=Path,
        nargs="*",
        action="extend",
        default=[],
        metavar="DIR",
        help="checkpoints it starts from, in its kind's order",
    )
    parser.add_argument(
        "--poses", type=Path, metavar="DIR", help="poses fitted to its frames (`handbench fit`), where its kind asks"
    )
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="truth.npz of the rendered set hands, where its kind asks"
    )
    parser.add_argument("--fold", metavar="SUBJECT", help="leave this subject out (MSRA)")
    parser.add_argument(
        "--seed", type=parse_natural, default=0, metavar="K", help="same seed, same numbers (default 0)"
    )
    parser.add_argument(
        "--threads",
        type=parse_positive,
        default=1,
        metavar="N",
        help="of each process; their number changes the last digits (default 1)",
    )
    parser.add_argument(
        "--devices", type=parse_positive, default=1, metavar="N", help="GPUs, or processes, of a machine (default 1)"
    )
    parser.add_argument(
        "--nodes", type=parse_positive, default=1, metavar="N", help="machines that are given this command (default 1)"
    )
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="settings of the kind"
    )
    parser.add_argument("--module", metavar="NAME", help="its name in the config (default: the kind)")
    parser.add_argument("--paper", default="own", metavar="PAPER", help="the paper it belongs to (default: own)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint")
    parser.add_argument(
        "--log-model", action="store_true", help="track the model with its signature too (seconds more)"
    )
    _add_call(parser)


def _add_walk(commands: argparse._SubParsersAction) -> None:
    words = "walk through a model's latent space between two depth images: a strip, and a GIF of depth with skeleton"
    parser = add_command(commands, "walk", words)
    parser.add_argument("model", type=Path, metavar="MODEL", help="checkpoint of an estimator of crossing")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--frames", type=Path, nargs=2, metavar=("FROM", "TO"), help="depth images (.png, .npy)")
    source.add_argument("--store", type=Path, metavar="DIR", help="crop store that --rows are in")
    parser.add_argument(
        "--rows", type=parse_natural, nargs=2, metavar=("FROM", "TO"), help="places in the list of the store's frames"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for walk.png and walk.gif")
    add_camera(parser.add_argument_group("of your own depth images (--frames)"))


def _add_export(commands: argparse._SubParsersAction) -> None:
    words = "write a trained network as ONNX, checked against torch"
    parser = add_command(commands, "export", words)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder of `handbench train`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="such as model.onnx")


def _add_probe(commands: argparse._SubParsersAction) -> None:
    words = "measure what a network does beside its joints: images drawn, updates from noise, time; and keep pictures"
    parser = add_command(commands, "probe", words)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder of `handbench train`")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="crop store to try it on")
    parser.add_argument("--learned", type=Path, required=True, metavar="DIR", help="crop store of its training")
    parser.add_argument("--threads", type=parse_positive, default=1, metavar="N", help="of what is timed (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for probe.json and pictures.npz")
    add_true_objects(parser)


def _add_mlflow(commands: argparse._SubParsersAction) -> None:
    words = "make the tracking store and its experiments"
    parser = add_command(commands, "mlflow", words)
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default results")


def _add_track(commands: argparse._SubParsersAction) -> None:
    words = "send what jobs have tracked to files and could not send, once"
    parser = add_command(commands, "track", words)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"), metavar="RESULTS")
    parser.add_argument("--end", type=Path, metavar="CALL", help="end the call of this call.json and send its runs")
    parser.add_argument("--status", choices=("FINISHED", "FAILED"), default="FINISHED", help="how the call ended")


def _add_report(commands: argparse._SubParsersAction) -> None:
    words = "write the report of a run: tables, figures, claims, one page that opens offline"
    parser = add_command(commands, "report", words)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as results/demo-embedded")
    parser.add_argument(
        "--out", type=Path, default=Path("results", "report"), metavar="DIR", help="default results/report"
    )
    parser.add_argument("--record", type=Path, metavar="DIR", help="folder of the published record")
    parser.add_argument(
        "--from-mlflow",
        nargs="?",
        const="",
        metavar="URI",
        help="take the numbers from the tracking store instead of the files",
    )


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--call", type=Path, metavar="FILE", help="call.json of the workflow call it is part of")


def _add_drawing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=parse_natural, default=0, help="same seed, same files (default 0)")
    parser.add_argument(
        "--renderer", choices=("auto", "software", "opengl"), default="auto", help="what draws the depth"
    )
    _add_jobs(parser)


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs", type=parse_positive, default=1, metavar="N", help="frames worked on at once (default 1)"
    )
