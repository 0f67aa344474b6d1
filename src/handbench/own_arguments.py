"""The words of commands that take a person's own depth images: what has to be known of them."""

import argparse
from pathlib import Path

from handbench.argument_words import add_command, add_true_objects, parse_natural
from handbench.conventions import DATASETS


def add_predict(commands: argparse._SubParsersAction) -> None:
    words = "predict joints: of every frame of a crop store, or with --model of your own depth images"
    parser = add_command(commands, "predict", words)
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="with --store: the checkpoint, or one a fold; with --model: depth images (.png, .npy) or folders of them",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--store", type=Path, metavar="DIR", help="crop store to predict")
    words = "what to use: a folder of `handbench train`, or a name that `handbench models list` tells"
    source.add_argument("--model", type=Path, metavar="CHECKPOINT", help=words)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for what is predicted")
    add_true_objects(parser)
    own = parser.add_argument_group("of your own depth images (--model)")
    add_camera(own)
    own.add_argument(
        "--localizer",
        type=Path,
        metavar="CHECKPOINT",
        help="of a model that learned from localized crops: the localizer",
    )
    own.add_argument(
        "--object",
        metavar="WORD",
        help="what the hand holds, for a model of both: box:AxBxC, sphere:DIAMETER or cylinder:DIAMETERxLENGTH in mm",
    )
    own.add_argument(
        "--left-hand", action="store_true", help="for a model of both, which knows right hands: look through a mirror"
    )
    own.add_argument("--no-pictures", action="store_true", help="joints alone")


def add_camera(group: argparse._ArgumentGroup) -> None:
    """What every command that looks for a hand in such images asks."""
    group.add_argument(
        "--camera",
        nargs="+",
        metavar="C",
        help=f"a dataset whose camera it is ({', '.join(DATASETS)}), or FX FY CX CY in pixels (default: the model's)",
    )
    group.add_argument("--centre", type=float, nargs=3, metavar=("X", "Y", "Z"), help="of a ready crop's cube, mm")
    group.add_argument(
        "--cube", type=float, metavar="MM", help="edge of the cube around the hand (default: the model's)"
    )
    group.add_argument("--near", type=float, metavar="MM", help="nearest depth at which a hand is looked for (200)")
    group.add_argument("--far", type=float, metavar="MM", help="farthest (1500)")


def add_refine(commands: argparse._SubParsersAction) -> None:
    words = "adapt a model to your own hand and sensor, from depth frames without labels"
    parser = add_command(commands, "refine", words)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="CHECKPOINT", help="of refine.base, or an earlier refinement"
    )
    parser.add_argument(
        "--frames", type=Path, nargs="+", required=True, metavar="PATH", help="depth images (.png, .npy) or folders"
    )
    parser.add_argument(
        "--intrinsics",
        nargs="+",
        required=True,
        metavar="C",
        help=f"FX FY CX CY of your camera in pixels, or a dataset whose camera it is ({', '.join(DATASETS)})",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the adapted checkpoint")
    parser.add_argument("--cube", type=float, metavar="MM", help="edge of the cube a hand is looked for in (240)")
    parser.add_argument("--near", type=float, metavar="MM", help="nearest depth at which a hand is looked for (200)")
    parser.add_argument("--far", type=float, metavar="MM", help="farthest (1500)")
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="settings of refine.adapted"
    )
    parser.add_argument(
        "--seed", type=parse_natural, default=0, metavar="K", help="same seed, same numbers (default 0)"
    )
    parser.add_argument(
        "--allow-skips", type=parse_natural, default=0, metavar="N", help="frames without a hand to leave out (0)"
    )
