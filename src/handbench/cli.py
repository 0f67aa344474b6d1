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
from collections.abc import Sequence
from pathlib import Path

from handbench.arguments import TRACEBACK, build_parser
from handbench.conventions import DATASETS, HANDS, LOCALIZED
from handbench.errors import BadInput
from handbench.own_commands import (  # noqa: F401 - found by their names
    run_models_fetch,
    run_models_list,
    run_models_pack,
    run_models_unpack,
    run_models_verify,
    run_walk,
)

INTERRUPTED = 130
BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; bad input, and a disk or memory that refuses, is one line on stderr and status 1."""
    if sys.stdout is None:  # closed by whoever started this
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no UTF-8 must not end the work that prints it.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    try:
        status = globals()[f"run_{name_function(options)}"](options) or 0
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. What only tells may end there; work that stops half done is no success.
        _drop_stdout()
        if options.command in ("doctor", "evaluate"):
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


def name_function(options: argparse.Namespace) -> str:
    """The word of the function that runs a subcommand.

    With a localizer that is one of its own: its digest knows networks, on which no other crop may depend. Nor has
    what hands hold a say in other predictions, nor the logging of a model in its training.
    """
    if options.command == "train" and options.log_model:
        return "train_logged"
    if options.command == "predict" and (options.object or options.left_hand):
        return "predict_held"
    asked = {"crop": ("localizer", "store"), "predict": ("localizer",)}.get(options.command, ())
    localized = getattr(options, "centre", None) == LOCALIZED or any(getattr(options, name) for name in asked)
    return f"{options.command}_localized" if localized else str(options.command)


def _tell(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError):
        text = f"not enough memory; {text or 'ask for less at once'}"
    if isinstance(error, BadInput) and {"synthesize", "raw"} <= set(Path(error.where).parts):
        text += "; data made here come back with `snakemake --forcerun synthesize`"
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
        stride=dict(options.stride),
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


def run_render(options: argparse.Namespace) -> None:
    from handbench.datasets.render import render
    from handbench.datasets.render_hands import render_hands

    drawing = {"seed": options.seed, "jobs": options.jobs, "renderer": options.renderer}
    if options.set != HANDS.name:
        render(options.set, options.out, hands=dict(options.hands), frames=dict(options.frames), **drawing)
        return
    if options.hands:
        found, fix = "--hands with it", "leave it out: no recorded hand is in this set"
        raise BadInput("render", expected=f"{HANDS.name} and nothing else", found=found, fix=fix)
    render_hands(options.out, frames=dict(options.frames), **drawing)


def run_crop(options: argparse.Namespace) -> None:
    from handbench.datasets.crops import build_crops
    from handbench.datasets.importers import list_frames

    listing = list_frames(options.dataset, options.root, options.split, revised=options.revised)
    build_crops(
        listing,
        centre=options.centre,
        size_px=options.size,
        out=options.out,
        allow_skips=options.allow_skips,
        jobs=options.jobs,
    )


def run_crop_localized(options: argparse.Namespace) -> None:
    if options.centre != LOCALIZED or not (options.localizer and options.store):
        given = [f"--{name}" for name in ("localizer", "store") if getattr(options, name)]
        raise BadInput(
            "crop",
            expected="--localizer and --store with --centre localized, and with no other",
            found=" and ".join([*given, f"--centre {options.centre}"]),
            fix="--localizer names a checkpoint of feedback19.localizer, --store the crops it looks at",
        )
    from handbench.datasets.importers import list_frames
    from handbench.training.localize import crop_localized

    crop_localized(
        list_frames(options.dataset, options.root, options.split),
        options.localizer,
        options.store,
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


def run_fit(options: argparse.Namespace) -> None:
    from handbench.fitting.label_fit import fit_labels, fit_record
    from handbench.fitting.labelled_frames import read_record, read_store

    if options.store:
        frames = read_store(options.store, options.dataset)
        known = {"hand": options.hand, "truth": options.truth}
        print(fit_labels(frames, options.out, **known, swarm_frames=options.pso_frames, seed=options.seed))
        return
    if options.dataset != "nyu" or options.hand or options.truth:
        found = options.dataset if options.dataset != "nyu" else "--hand or --truth with it"
        raise BadInput("fit", expected="nyu and nothing else with --record", found=found, fix="leave it out")
    print(fit_record(read_record(options.record), options.out, swarm_frames=options.pso_frames, seed=options.seed))


def run_train(options: argparse.Namespace) -> None:
    from handbench.modules import parse_settings
    from handbench.training.train import Job, train

    job = Job(
        kind=options.kind,
        module=options.module or options.kind,
        paper=options.paper,
        settings=parse_settings(options.set),
        seed=options.seed,
        fold=options.fold,
        threads=options.threads,
        devices=options.devices,
        nodes=options.nodes,
        needs=tuple(options.needs),
        poses=options.poses,
        truth=options.truth,
    )
    print(train(job, options.store, options.out, call=options.call, log_model=options.log_model))


def run_train_logged(options: argparse.Namespace) -> None:
    from handbench.modules import KINDS
    from handbench.training.checkpoint import load_checkpoint
    from handbench.training.graphs import require_loggable

    if options.kind in KINDS:
        require_loggable(options.kind, [load_checkpoint(folder).card["kind"] for folder in options.needs])
    run_train(options)


def run_predict(options: argparse.Namespace) -> None:
    if not options.paths:
        # --camera takes every word behind it, files too.
        found, fix = "none", "name them before --camera: handbench predict depth.png --model CHECKPOINT --camera nyu"
        raise BadInput("predict", expected="depth images, or with --store checkpoints", found=found, fix=fix)
    if options.model and options.truth:
        raise BadInput("predict", expected="--store with --truth", found="--model", fix="leave --truth out")
    if options.model:
        _predict_own(options)
        return
    own = ("camera", "centre", "cube", "near", "far", "no_pictures")
    given = [f"--{name.replace('_', '-')}" for name in own if getattr(options, name) not in (None, False)]
    if given:
        raise BadInput("predict", expected="--model with " + given[0], found="--store", fix=f"leave {given[0]} out")
    from handbench.training.predict import predict

    print(predict(options.paths, options.store, options.out, truth=options.truth))


def run_predict_localized(options: argparse.Namespace) -> None:
    if not options.model:
        fix = "crop with --localizer; the store's crops are localized already"
        raise BadInput("predict", expected="--model with --localizer", found="--store", fix=fix)
    _predict_own(options)


def run_predict_held(options: argparse.Namespace) -> None:
    if not options.model:
        given = "--object" if options.object else "--left-hand"
        raise BadInput("predict", expected=f"--model with {given}", found="--store", fix=f"leave {given} out")
    if not options.paths:
        fix = "name them before --camera: handbench predict depth.png --model handobject --object box:60x40x120"
        raise BadInput("predict", expected="depth images", found="none", fix=fix)
    if options.truth:
        raise BadInput("predict", expected="--store with --truth", found="--model", fix="leave --truth out")
    _predict_own(options)


def _predict_own(options: argparse.Namespace) -> None:
    from handbench.datasets.own_hand import choose_reach
    from handbench.report.own_prediction import load_model, name_source, predict_frames

    asked = {"localizer": options.localizer, "held": options.object, "left": options.left_hand}
    model = load_model(options.model, options.cube, **asked)
    source = name_source(model, options.camera, options.centre)
    if options.centre and not options.near == options.far is None:
        fix = "leave --near and --far out: a ready crop holds the hand already"
        raise BadInput("predict", expected="--near and --far, or --centre", found="both", fix=fix)
    reach = choose_reach(options.near, options.far)
    print(predict_frames(options.paths, model, source, options.out, reach=reach, pictures=not options.no_pictures))


def run_refine(options: argparse.Namespace) -> None:
    from handbench.datasets.own_frames import parse_intrinsics
    from handbench.datasets.own_hand import choose_reach, require_edge
    from handbench.modules import parse_settings
    from handbench.report.own_refinement import refine_frames

    told = refine_frames(
        options.frames,
        options.model,
        parse_intrinsics(options.intrinsics, option="--intrinsics"),
        options.out,
        reach=choose_reach(options.near, options.far),
        cube_mm=None if options.cube is None else require_edge(options.cube),
        values=parse_settings(options.set),
        seed=options.seed,
        allow_skips=options.allow_skips,
    )
    print(told)


def run_export(options: argparse.Namespace) -> None:
    from handbench.training.export import export

    print(export(options.checkpoint, options.out))


def run_probe(options: argparse.Namespace) -> None:
    from handbench.training.probe import probe

    words = {"threads": options.threads, "truth": options.truth}
    print(probe(options.checkpoint, options.store, options.learned, options.out, **words))


def run_evaluate(options: argparse.Namespace) -> None:
    from handbench.evaluation.evaluate import evaluate
    from handbench.evaluation.evaluation_files import default_folder, save_evaluation
    from handbench.evaluation.evaluation_text import render_text

    folder = options.out or default_folder(options.dataset, options.method)
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
        poses=options.poses,
        truth_file=options.truth,
        bias=options.bias,
        out=folder,
        call=options.call,
    )
    if not options.json:
        from handbench.report.evaluation_figures import draw_evaluation

        draw_evaluation(evaluation, folder)
    save_evaluation(evaluation, folder)
    if options.call:
        from handbench.evaluation.tracked import track_evaluation

        track_evaluation(evaluation, folder, options.call)
    if options.json:
        print(json.dumps(evaluation.as_dict(), allow_nan=False))
    else:
        print(render_text(evaluation))
        print(f"saved in {folder}")


def run_mlflow(options: argparse.Namespace) -> None:
    from handbench.training.tracking import create_store

    create_store(options.results)


def run_track(options: argparse.Namespace) -> int:
    from handbench.training.tracking import close_call, send_unsent

    if options.end:
        close_call(options.end, options.status)
        return 0
    sent = send_unsent(options.results)
    print(sent)
    return 1 if sent.failed else 0


def run_report(options: argparse.Namespace) -> None:
    from handbench.evaluation.ground_truth import open_record
    from handbench.report.build import build_report

    results = None
    if options.from_mlflow is not None:
        from handbench.evaluation.tracked import read_tracked_results

        results = read_tracked_results(options.run, options.from_mlflow or None)
    print(build_report(options.run, options.out, record=open_record(options.record), results=results))
