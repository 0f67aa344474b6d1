"""Subcommands that are no stage of the pipeline: they serve whoever comes with a camera, or for a trained network."""

import argparse

from handbench.errors import BadInput


def run_walk(options: argparse.Namespace) -> None:
    from handbench.report.own_walk import Between, walk_between_files, walk_between_rows

    if options.store:
        own = ("camera", "centre", "cube", "near", "far")
        given = [f"--{name}" for name in own if getattr(options, name) is not None]
        if given or not options.rows:
            found = f"{given[0]} with it" if given else "--store alone"
            raise BadInput("walk", expected="--store with --rows", found=found, fix="name two rows of the store")
        print(walk_between_rows(options.model, options.store, options.rows, options.out))
        return
    if options.rows:
        raise BadInput("walk", expected="--store with --rows", found="--frames", fix="leave --rows out")
    words = {name: getattr(options, name) for name in ("camera", "centre", "cube", "near", "far")}
    print(walk_between_files(options.model, options.frames, options.out, Between(**words)))


def run_models_list(options: argparse.Namespace) -> None:
    from handbench.release.listing import as_json, as_table, list_models, say_none

    rows = list_models(options.address)
    print(as_json(rows) if options.json else as_table(rows) if rows else say_none())


def run_models_verify(options: argparse.Namespace) -> int:
    from handbench.release.verify import tell_verdicts, verify_everywhere, verify_models

    verdicts = verify_models(options.place, options.names) if options.place else verify_everywhere(options.names)
    print(tell_verdicts(verdicts))
    return 1 if any(one.fault for one in verdicts) else 0


def run_models_fetch(options: argparse.Namespace) -> None:
    from handbench.release.fetch_models import fetch_models
    from handbench.training.handed_on import REPOSITORY, find_cache

    to = options.to or find_cache()
    came, there = fetch_models(str(REPOSITORY) if options.address is None else options.address, to, options.names)
    print(f"{came} fetched, {there} there already, in {to}")


def run_models_unpack(options: argparse.Namespace) -> None:
    from handbench.release.unpack import unpack_model

    print(unpack_model(options.name, options.out))


def run_models_pack(options: argparse.Namespace) -> None:
    from handbench.release.look import read_real_frame
    from handbench.release.pack import pack_models

    real = read_real_frame(*options.real) if options.real else None
    packed = pack_models(options.runs, options.out, only=options.only, seed=options.seed, real=real)
    print(f"{packed} packed in {options.out}")
