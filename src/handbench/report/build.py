"""The whole report in one folder: pages, tables, figures, frames. Nothing in it points outside of it.

It is built beside its place and moved there at the end, so that a kill leaves the old report or the new one.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handbench.conventions import DATASETS
from handbench.datasets.files import replace_file
from handbench.datasets.lock import hold_alone
from handbench.errors import BadInput
from handbench.evaluation.claims import Verdict, decide_claims, write_claims
from handbench.evaluation.fits import Fit, read_fits, select_fits
from handbench.evaluation.probes import Probe, read_probes, select_probes
from handbench.evaluation.published import Record
from handbench.evaluation.remarks import tell_remarks
from handbench.evaluation.results import Result, read_results, select_results
from handbench.evaluation.trainings import Training, read_trainings, select_trainings
from handbench.provenance import CALL
from handbench.report.asked_call import read_call_of
from handbench.report.claims_table import build_claims_table, count_statuses, list_rows
from handbench.report.frame_data import open_frames
from handbench.report.frame_sheets import KINDS, draw_sheet, save_sheet
from handbench.report.items import Figure, Item, Table
from handbench.report.page import (
    ContactSheet,
    FrameGroup,
    FrameSheet,
    IndexPage,
    render_claims,
    render_index,
    render_table,
)
from handbench.report.run_card import RunCard, read_run_card
from handbench.report.run_table import build_run_table
from handbench.report.sections import SECTIONS
from handbench.report.sources import Sources
from handbench.report.stamps import stamp_card, stamp_results, stamp_sheet
from handbench.report.table_files import write_plain_tables

INDEX, CLAIMS, CLAIMS_CSV = "index.html", "claims.html", "claims.csv"
TABLES, FIGURES, FRAMES, SHEETS = "tables", "figures", "frames", "sheets"
OWN = {INDEX, CLAIMS, CLAIMS_CSV, TABLES, FIGURES, FRAMES, SHEETS, ".snakemake_timestamp"}
"""What may lie in a folder that a report takes the place of."""
ASKED_BY = {"modules", "use", "seeds"}
"""Settings that say which results a call wants."""


def build_report(
    run: Path,
    out: Path,
    *,
    record: Record | None,
    results: Sequence[Result] | None = None,
    pictures: bool = True,
) -> Path:
    """Write the report of a run's folder to `out` and return its first page.

    `results` are those of the run's files unless given, as when they are rebuilt from the tracking store; without
    files there are no pictures of frames, no probes and no remarks of trainings. Without `record` nothing is
    recomputed from published predictions.
    """
    _refuse_foreign_folder(out)
    out = out.resolve()
    found = read_results(run) if results is None else tuple(results)
    if not found:
        _refuse_empty_run(run)
    settings = _read_asked(run)
    asked = select_results(found, settings) if settings else found
    # Of the tracking store's results there are no files beside them.
    probes, fits = (_read_probes(run, settings), _read_fits(run, settings)) if results is None else (None, None)
    trainings = _read_trainings(run, settings) if results is None else ()
    card, left_out = read_run_card(run, asked), len(found) - len(asked)
    sources = Sources(run, card, asked, record, left_out=left_out, probes=probes, fits=fits, trainings=trainings)
    with hold_alone(out):
        _build(sources, out, pictures)
    return out / INDEX


def _refuse_empty_run(run: Path) -> None:
    """A run that has only begun has a report; a folder that is no run, a misspelt one for example, has none."""
    if not ((run / CALL).is_file() or (run / "evaluate").is_dir()):
        found = "a folder with neither" if run.is_dir() else "no such folder"
        expected = f"the folder of a run, such as results/demo-embedded, with {CALL} or evaluate/ in it"
        raise BadInput(run, expected=expected, found=found, fix="name another folder, or run the pipeline first")


def _read_asked(run: Path) -> dict[str, Any]:
    """What the last call asked for; earlier calls may have left results of other settings in the folder."""
    settings = read_call_of(run).get("settings") or {}
    return settings if settings.keys() >= ASKED_BY else {}


def _read_probes(run: Path, settings: dict[str, Any]) -> tuple[Probe, ...]:
    found = read_probes(run)
    return select_probes(found, settings) if settings else found


def _read_fits(run: Path, settings: dict[str, Any]) -> tuple[Fit, ...]:
    found = read_fits(run)
    return select_fits(found, settings) if settings else found


def _read_trainings(run: Path, settings: dict[str, Any]) -> tuple[Training, ...]:
    found = read_trainings(run)
    return select_trainings(found, settings) if settings else found


def _build(sources: Sources, out: Path, pictures: bool) -> None:
    # One name for every build, so that the next one clears away what a killed one left.
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for part in (TABLES, FIGURES, FRAMES):
            # There even where empty: what makes the report may have promised these folders.
            (partial / part).mkdir(parents=True)
        _write(sources, partial, pictures)
        _swap(partial, out)
    except OSError as error:
        raise BadInput(
            out,
            expected="a folder with room that may be written to",
            found=error.strerror or str(error),
            fix="free some disk or choose another --out",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(sources: Sources, folder: Path, pictures: bool) -> None:
    sections = tuple(build(sources) for build in SECTIONS)
    runs = build_run_table(sources)
    items: tuple[Item, ...] = (runs, *(item for section in sections for item in section.items))
    verdicts = _decide(sources)
    rows = list_rows(verdicts, frozenset(item.name for item in items))
    stamp = stamp_card(sources.card)
    claims = build_claims_table(rows, stamp)
    _write_items((*items, claims), folder)
    write_claims(verdicts, folder / CLAIMS_CSV)
    counts = count_statuses(verdicts)
    frames, without = _write_frames(sources, folder / FRAMES) if pictures else ((), ())
    page = IndexPage(
        card=sources.card,
        stamp=stamp,
        caution=sources.caution,
        counts=counts,
        results=len(sources.results),
        left_out=sources.left_out,
        remarks=tell_remarks(sources.trainings, sources.probes or ()),
        runs=runs,
        sections=sections,
        sheets=_copy_sheets(sources.run, folder / SHEETS, sources.card) if pictures else (),
        frames=frames,
        without_frames=without,
    )
    _write_page(folder / CLAIMS, render_claims(rows, counts, sources.card, stamp, sources.caution))
    # The first page last: where it is, everything that it names is.
    _write_page(folder / INDEX, render_index(page, folder))


def _decide(sources: Sources) -> tuple[Verdict, ...]:
    card = sources.card
    return decide_claims(
        sources.results,
        sources.record,
        scale=card.scale,
        source=card.source,
        probes=sources.probes,
        fits=sources.fits,
        modules=card.settings.get("modules"),
    )


def _write_items(items: Sequence[Item], folder: Path) -> None:
    for item in items:
        if isinstance(item, Table):
            write_plain_tables(item, folder / TABLES)
            _write_page(folder / TABLES / f"{item.name}.html", render_table(item))
        elif isinstance(item, Figure):
            item.draw(folder / FIGURES / item.name)


def _write_page(path: Path, html: str) -> None:
    replace_file(path, html.encode(errors="backslashreplace"))


def _copy_sheets(run: Path, folder: Path, card: RunCard) -> tuple[ContactSheet, ...]:
    """The contact sheets that the pipeline drew of the data."""
    drawn = [(dataset, path) for dataset in DATASETS for path in sorted((run / "show" / dataset).glob("*.png"))]
    copied = []
    for dataset, path in drawn:
        folder.mkdir(exist_ok=True)
        name = f"{dataset}-{path.name}"
        shutil.copyfile(path, folder / name)
        title = f"{DATASETS[dataset].title}, split {path.stem}"
        copied.append(ContactSheet(f"{SHEETS}/{name}", title, stamp_sheet(dataset, path.stem, card)))
    return tuple(copied)


def _write_frames(sources: Sources, folder: Path) -> tuple[tuple[FrameGroup, ...], tuple[str, ...]]:
    """Sheets of each module on each dataset, first seed; and why some have none."""
    groups, without = [], []
    for pooled in sources.pool():
        result = pooled.results[0]
        stamp = stamp_results([result])
        try:
            data = open_frames(sources.run, result)
        except BadInput as missing:
            title = DATASETS[result.dataset].title
            without.append(f"{result.method} on {title}: {missing.where} {missing.found}.")
            continue
        shown = []
        for kind in KINDS:
            sheet = draw_sheet(data, kind, stamp)
            name = f"{result.dataset}-{result.module}-seed{result.seed}-{kind}.png"
            save_sheet(sheet, folder / name)
            shown.append(
                FrameSheet(f"{FRAMES}/{name}", kind, sheet.title, f"{sheet.low_mm:.1f} to {sheet.high_mm:.1f} mm")
            )
        title = f"{result.method} on {DATASETS[result.dataset].title}, seed {result.seed}"
        groups.append(FrameGroup(title, tuple(shown), stamp))
    return tuple(groups), tuple(without)


def _refuse_foreign_folder(out: Path) -> None:
    """A report takes the place of an older report, never of anything else."""
    foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in OWN) if out.is_dir() else []
    if foreign or (out.exists() and not out.is_dir()):
        raise BadInput(
            out,
            expected="a new folder, or an older report to replace",
            found=f"{foreign[0]!r} in it" if foreign else "a file",
            fix="choose another folder",
        )


def _swap(partial: Path, out: Path) -> None:
    """A kill between any two of these lines leaves the old report or the new one, whole."""
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.is_dir():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)
