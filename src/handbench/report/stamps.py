"""The line under every table and figure that says what was measured, on what, and by which state of the project."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handbench.conventions import DATASETS, HANDOBJECT, HANDS, RENDERED, Camera
from handbench.evaluation.results import Result
from handbench.report.run_card import RunCard, join_words
from handbench.training.rendered_sets import tell_rendered

SEPARATOR = " | "
EVERY_FRAME = "all"
"""The split of a dataset that has none."""


def stamp_results(results: Sequence[Result]) -> str:
    """The protocol card of this run's results; a fact in which they differ is given for each."""
    cards = dict.fromkeys(describe_protocol(one) for one in results)
    return SEPARATOR.join(
        (
            "; ".join(cards),
            *tell_learned(one.rendered for one in results),
            f"data: {join_words(one.source for one in results)}",
            f"scale: {join_words(one.scale for one in results)}",
            f"seeds: {join_words(one.seed for one in results)}",
            *describe_state(
                join_words(one.commit for one in results),
                join_words(one.config_digest for one in results),
                [commit for one in results for commit in one.trained_at],
            ),
        )
    )


def stamp_comparison(dataset: str, card: RunCard, *, recomputed: bool) -> str:
    """The card of a paper's numbers: as print has them, or measured anew from published predictions."""
    return _stamp_record(dataset, card) if recomputed else stamp_printed(dataset, card)


def _stamp_record(dataset: str, card: RunCard) -> str:
    """The card of published predictions measured anew: only the labels and the camera are known of their protocol."""
    convention = DATASETS[dataset]
    return SEPARATOR.join(
        (
            f"{convention.title}, test split, {convention.frames['test']:,} frames, {len(convention.scored)} joints, "
            f"centre and cube: each method's own, {_describe_camera(convention.camera)}",
            "data: real, published predictions",
            "scale: as published",
            "seeds: one each, as published",
            *describe_state(card.commit, card.config_digest),
        )
    )


def stamp_printed(dataset: str, card: RunCard) -> str:
    """The card of numbers that only stand in a paper."""
    convention = DATASETS[dataset]
    return SEPARATOR.join(
        (
            f"{convention.title}, test split, {convention.frames['test']:,} frames, {len(convention.scored)} joints "
            f"scored, centre, cube and intrinsics: as in the paper",
            "data: real, as printed",
            "scale: as in the paper",
            "seeds: not stated",
            *describe_state(card.commit, card.config_digest),
        )
    )


def stamp_card(card: RunCard) -> str:
    """The card of a page that rests on many protocols, each given with its own table or figure."""
    seeds = join_words(card.seeds) or "none"
    return SEPARATOR.join(
        (
            "protocol: with each table and figure",
            f"data: {card.source}",
            f"scale: {card.scale}",
            f"seeds: {seeds}",
            *describe_state(card.commit, card.config_digest),
        )
    )


def describe_protocol(result: Result) -> str:
    """Frames, joints, centre, cube, intrinsics and split of one result."""
    protocol = result.protocol
    centre = protocol["centre"]
    truth = "uses ground truth" if centre["uses_ground_truth"] else "no ground truth"
    return ", ".join(
        (
            f"{protocol['title']}, {describe_split(result.split, result.protocol)}",
            *([f"annotations: {protocol['annotations']}"] if "annotations" in protocol else []),
            f"{result.frames:,} frames",
            f"{len(protocol['scored'])} joints",
            f"centre: {centre['strategy']} ({truth})",
            f"cube: {describe_cube(protocol['cube_mm'])}",
            _describe_camera(Camera(**protocol["camera"])),
            f"patch: {protocol['size_px']} px",
        )
    )


def stamp_rendered(manifests: Mapping[str, Mapping[str, Any]], card: RunCard) -> str:
    """The card of what is told of rendered sets, by their words."""
    sets = tell_rendered({word: manifest["sha256"] for word, manifest in manifests.items()})
    return SEPARATOR.join(
        (
            f"{DATASETS[HANDOBJECT.name].title}, set {sets}",
            f"data: {join_words(manifest['source'] for manifest in manifests.values())}",
            f"scale: {card.scale}",
            f"seed of the data: {join_words(manifest['request']['seed'] for manifest in manifests.values())}",
            *describe_state(card.commit, card.config_digest),
        )
    )


def tell_learned(sets: Iterable[Mapping[str, str]]) -> list[str]:
    """The rendered sets behind results, where there are any; two of one word are told apart by their digests."""
    words = join_words(tell_rendered({word: sha256}) for one in sets for word, sha256 in one.items())
    return [f"learned from rendered set: {words}"] if words else []


def stamp_sheet(dataset: str, split: str, card: RunCard) -> str:
    """The card of a contact sheet: no number is measured on it, so it has neither centre nor cube."""
    convention = DATASETS[dataset]
    made = (card.settings.get("datasets") or {}).get(dataset) or {}
    frames = (made.get("frames") if card.source == "embedded" else convention.frames) or {}
    if dataset in RENDERED:
        made = card.settings.get("render") or {}
        sets = {word: sum(kinds.values()) for word, kinds in (made.get("sets") or {}).items()}
        # Hands alone are one set, of one split.
        alone = {HANDS.splits[0]: sets[HANDS.name]} if HANDS.name in sets else {}
        frames = sets if dataset == HANDOBJECT.name else alone
    number = f"{frames[split]:,}" if split in frames else "unknown number of"
    drawn_here = card.source == "embedded" or dataset in RENDERED
    seed = made.get("seed", "unknown") if drawn_here else "none, recorded"
    return SEPARATOR.join(
        (
            f"{convention.title}, {_name_split(split)}, {number} frames, {len(convention.joints.names)} joints, "
            f"centre and cube: around the labels, {_describe_camera(convention.camera)}",
            f"data: {card.source}",
            f"scale: {card.scale}",
            f"seed of the data: {seed}",
            *describe_state(card.commit, card.config_digest),
        )
    )


def describe_split(split: str, protocol: Mapping[str, Any]) -> str:
    """Where a dataset has no split of its own, each subject's frames are predicted by what never saw the subject."""
    if protocol["split"] != EVERY_FRAME:
        return _name_split(split)
    folds = len(protocol["cube_mm"])
    return f"{_name_split(EVERY_FRAME)}, leave-one-subject-out over {folds} fold{'s' * (folds != 1)}"


def _name_split(split: str) -> str:
    return "all frames" if split == EVERY_FRAME else f"{split} split"


def describe_cube(cube_mm: dict[str, Any]) -> str:
    edges = [edge for pair in cube_mm.values() for edge in pair]
    if not edges:
        return "unknown"
    low, high = min(edges), max(edges)
    return f"{low:.0f} mm" if round(low) == round(high) else f"{low:.0f} to {high:.0f} mm"


def _describe_camera(camera: Camera) -> str:
    return f"camera: fx {camera.fx:g}, fy {camera.fy:g}, cx {camera.cx:g}, cy {camera.cy:g} px"


def describe_state(commit: str | None, config_digest: str | None, trained_at: Iterable[str] = ()) -> tuple[str, str]:
    """`trained_at`: the commits of what trained, named where they are not just that of the evaluation."""
    others = join_words(trained_at)
    trained = f", trained at {others}" if others not in ("", commit) else ""
    return f"commit: {commit or 'unknown'}{trained}", f"config: {config_digest or 'unknown'}"
