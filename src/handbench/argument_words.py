"""What the subcommands' arguments are made of: a subcommand, a dataset, and words that are read as numbers."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from handbench.conventions import DATASETS

LEAST_PX, MOST_PX = 16, 512
"""Bounds of a patch's edge, the same as in the configuration."""


def add_command(commands: argparse._SubParsersAction, name: str, words: str) -> argparse.ArgumentParser:
    description = words[0].upper() + words[1:] + "."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=description)
    parser.set_defaults(command=name)
    return parser


def add_dataset(parser: argparse.ArgumentParser, known: Iterable[str] = DATASETS) -> None:
    parser.add_argument("dataset", choices=tuple(known), metavar="DATASET", help=", ".join(known))


def add_true_objects(parser: argparse.ArgumentParser) -> None:
    words = "truth.npz of embedded frames with objects, for what was learned from rendered ones"
    parser.add_argument("--truth", type=Path, metavar="FILE", help=words)


def parse_count(text: str) -> tuple[str, int]:
    split, equals, count = text.partition("=")
    if not (split and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=N such as train=3000, found {text!r}")
    return split, parse_positive(count)


def parse_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"expected DATASET=DIR such as msra=data/msra, found {text!r}")
    return name, Path(folder)


def parse_positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text!r}")
    return int(text)


def parse_natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, found {text!r}")
    return int(text)


def parse_size(text: str) -> int:
    size_px = parse_positive(text)
    if not LEAST_PX <= size_px <= MOST_PX:
        raise argparse.ArgumentTypeError(f"expected {LEAST_PX} to {MOST_PX} pixels, found {text}")
    return size_px
