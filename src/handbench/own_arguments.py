"""The words of commands that take a person's own depth images: what has to be known of them."""

import argparse
from pathlib import Path

from handbench.conventions import DATASETS


def add_own_frames(parser: argparse.ArgumentParser) -> None:
    """Of `handbench predict --model`."""
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
