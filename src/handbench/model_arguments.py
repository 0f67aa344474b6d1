"""The words of `handbench models`: what lists, verifies, fetches and packs trained networks."""

import argparse
from pathlib import Path

from handbench.argument_words import add_command, parse_natural


def add_models(commands: argparse._SubParsersAction) -> None:
    words = "list, verify and fetch trained networks, and pack results for others"
    actions = add_command(commands, "models", words).add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = _add_action(actions, "list", "which models are at hand, or in a release")
    _add_source(listing, "default: what was fetched, and what is part of the repository")
    listing.add_argument("--json", action="store_true", help="for machines")
    verify = _add_action(actions, "verify", "check digests, load, predict the stored crop and compare")
    _add_names(verify)
    words = "folder of models (default: every place that `list` shows)"
    verify.add_argument("--in", dest="place", type=Path, metavar="DIR", help=words)
    fetch = _add_action(actions, "fetch", "bring models into the cache, where `--model NAME` finds them")
    _add_names(fetch)
    _add_source(fetch, "default: the repository's own models")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="folder (default ~/.cache/handbench/models)")
    _add_pack(actions)
    unpack = _add_action(actions, "unpack", "write a model as a checkpoint, for `predict --store`, `--needs`, `crop`")
    unpack.add_argument("name", metavar="NAME", help="its name or folder")
    unpack.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint")


def _add_pack(actions: argparse._SubParsersAction) -> None:
    pack = _add_action(actions, "pack", "make models and their manifest from the results of runs")
    words = "folders of runs, such as results/demo-embedded; of a name the largest scale is taken"
    pack.add_argument("--from", dest="runs", type=Path, nargs="+", required=True, metavar="RUN", help=words)
    words = "these modules (default: all that give joints, and localizers); NAME=MODULE gives another name"
    pack.add_argument("--only", nargs="+", default=[], metavar="NAME", help=words)
    pack.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of models; others in it stay")
    pack.add_argument("--seed", type=parse_natural, default=0, metavar="K", help="of the training (default 0)")
    words = "a real frame of NYU and its labels (36 rows u,v,d), whose error goes on the card"
    pack.add_argument("--real", type=Path, nargs=2, metavar=("DEPTH", "LABELS"), help=words)


def _add_action(actions: argparse._SubParsersAction, name: str, words: str) -> argparse.ArgumentParser:
    parser = add_command(actions, name, words)
    parser.set_defaults(command=f"models_{name}")
    return parser


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="these models (default: all)")


def _add_source(parser: argparse.ArgumentParser, default: str) -> None:
    words = f"a folder of models or its address: http, https, file:// or a plain path ({default})"
    parser.add_argument("--from", dest="address", metavar="ADDRESS", help=words)
