"""What has gone wrong in the trainings of a run: what each remarked at its end, and what its probe measured later.

A GAN has collapsed where either of the two says so. The GAN table, the report's first page and the end of a call all
take it from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handbench.conventions import DATASETS
from handbench.evaluation.probes import Probe, read_probes, select_probes
from handbench.evaluation.trainings import Training, read_trainings, select_trainings
from handbench.loop.collapse import COLLAPSED, has_collapsed

GAN = "gan"
"""What a probe measured of a GAN, among its numbers; and whether the GAN task took part, among the settings."""


@dataclass(frozen=True)
class Examined:
    """A training and its probe; one of the two may not be at hand."""

    training: Training | None
    probe: Probe | None

    @property
    def one(self) -> Training | Probe:
        """Whichever is at hand."""
        found = self.training or self.probe
        assert found is not None, "a training or a probe"
        return found

    @property
    def name(self) -> str:
        one = self.one
        return (
            one.name if isinstance(one, Training) else f"{one.module} on {DATASETS[one.dataset].title}, seed {one.seed}"
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        return () if self.training is None else self.training.remarks

    @property
    def has_gan_task(self) -> bool:
        return self.one.settings.get(GAN) is not False

    @property
    def gan(self) -> Mapping[str, Any]:
        """What the probe measured of the GAN; a discriminator that nobody taught to tell images says nothing."""
        return {} if self.probe is None or not self.has_gan_task else self.probe.read(GAN)

    @property
    def said_collapsed(self) -> bool:
        """Whether the training itself said so."""
        return has_collapsed(self.remarks)

    @property
    def collapsed(self) -> bool:
        return self.said_collapsed or bool(self.gan.get("collapsed"))


def pair_probes(trainings: Sequence[Training], probes: Sequence[Probe]) -> tuple[Examined, ...]:
    """Every training with its probe, then probes of trainings that are not at hand; of probes those of a GAN."""
    measured = {(one.module, one.dataset, one.seed): one for one in probes if GAN in one.numbers}
    found = [Examined(one, measured.pop((one.module, one.dataset, one.seed), None)) for one in trainings]
    return (*found, *(Examined(None, one) for one in measured.values()))


def tell_remarks(trainings: Sequence[Training], probes: Sequence[Probe]) -> tuple[str, ...]:
    """A line a kind of remark, its numbers left out: how many of the trainings made it, and which."""
    made: dict[str, list[str]] = {}
    examined = pair_probes(trainings, probes)
    for one in examined:
        for head in dict.fromkeys(remark.partition(":")[0] for remark in one.remarks):
            made.setdefault(head, []).append(one.name)
        if one.collapsed and not one.said_collapsed:
            made.setdefault(COLLAPSED, []).append(f"{one.name} (its probe says so)")
    return tuple(
        f"{head[:1].upper()}{head[1:]} in {len(names)} of {len(examined)} trainings: {'; '.join(names)}."
        for head, names in made.items()
    )


def tell_run(run: Path, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The same of a run's folder, of what the settings of a call ask for."""
    return tell_remarks(select_trainings(read_trainings(run), settings), select_probes(read_probes(run), settings))
