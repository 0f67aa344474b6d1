"""The line under what probes measured: that of results on the same crops, since a probe names its crops only."""

from collections.abc import Sequence
from dataclasses import replace

from handbench.conventions import DATASETS
from handbench.evaluation.claim_loop import ITERATIONS
from handbench.evaluation.probes import Probe
from handbench.report.run_card import join_words
from handbench.report.sources import Sources
from handbench.report.stamps import SEPARATOR, describe_protocol, describe_state, tell_learned

NUMBERS = {1: "one", 2: "two", 3: "three"}


def stamp_probes(sources: Sources, probes: Sequence[Probe]) -> str:
    """The protocol card of probes; commit and configuration are those of the run's last call."""
    cards = dict.fromkeys(_describe(sources, one) for one in probes)
    return SEPARATOR.join(
        (
            "; ".join(cards),
            *tell_learned(one.rendered for one in probes),
            f"data: {join_words(one.source for one in probes)}",
            f"scale: {join_words(one.scale for one in probes)}",
            f"seeds: {join_words(one.seed for one in probes)}",
            *describe_state(
                sources.card.commit,
                sources.card.config_digest,
                [commit for one in probes for commit in one.trained_at],
            ),
        )
    )


def tell_seeds(probes: Sequence[Probe]) -> str:
    """How many frames and seeds a number is the mean of."""
    seeds = len({one.seed for one in probes})
    return f"{probes[0].frames:,} test frames{f', means over {seeds} seeds' if seeds > 1 else ''}."


def tell_iterations(probes: Sequence[Probe]) -> str:
    """How often the loops that were timed iterate: by their own settings, else as the papers' do."""
    counts = sorted({int(one.settings.get("iterations", ITERATIONS)) for one in probes})
    return " or ".join(f"{NUMBERS.get(count, count)} iteration{'s' * (count != 1)}" for count in counts)


def _describe(sources: Sources, probe: Probe) -> str:
    beside = [one for one in sources.find_results(dataset=probe.dataset) if one.centre == probe.centre]
    if beside:
        return describe_protocol(replace(beside[0], frames=probe.frames))
    convention = DATASETS[probe.dataset]
    return (
        f"{convention.title}, test split, {probe.frames:,} frames, {len(convention.scored)} joints, "
        f"centre: {probe.centre}, cube and patch: not known without an evaluation on these crops"
    )
