"""What a section is built from: results and probes of this run, and the published record where it is at hand."""

from dataclasses import dataclass
from pathlib import Path

from handbench.evaluation.fits import NOT_TRACKED as FITS_NOT_TRACKED
from handbench.evaluation.fits import Fit
from handbench.evaluation.probes import NOT_TRACKED, Probe
from handbench.evaluation.published import Record
from handbench.evaluation.results import Pooled, Result, pool_seeds
from handbench.evaluation.trainings import Training
from handbench.report.run_card import RunCard
from handbench.report.stamps import stamp_comparison

NOT_AT_HAND = "published predictions not at hand"
HOW_TO_GET = (
    "The published predictions are not at hand, so nothing is recomputed from them: run `handbench download "
    "published`, or set `published.use: true` in the config."
)
NOT_RUN = "not run at this scale"
ONLY_NYU = "The paper prints this of NYU alone."
DASH = "A dash under this run: not a method of this project."


@dataclass(frozen=True)
class Sources:
    """The material of a report."""

    run: Path
    card: RunCard
    results: tuple[Result, ...]
    record: Record | None
    left_out: int = 0
    """Results in the run's folder that its last call did not ask for."""
    probes: tuple[Probe, ...] | None = ()
    """None where there are no files to read them from, as in a report from the tracking store."""
    fits: tuple[Fit, ...] | None = ()
    """The hand model fitted to labels; None as of probes."""
    trainings: tuple[Training, ...] = ()
    """What trainings remarked of themselves; empty where their files are not at hand."""

    @property
    def this_run(self) -> str:
        """The heading over this run's columns: never without its source."""
        return f"this run, {self.card.source} data"

    def stamp(self, dataset: str) -> str:
        """The protocol card of what papers print of a dataset, and of what is recomputed where the record is there."""
        return stamp_comparison(dataset, self.card, recomputed=self.record is not None)

    @property
    def caution(self) -> tuple[str, ...]:
        """What has to be said wherever numbers of synthesized hands stand beside those of a camera."""
        if self.card.source != "embedded":
            return ()
        return (
            "This run measured the embedded, synthesized data. Its numbers are not comparable with those that papers "
            "print for real recordings.",
        )

    def find_results(self, *, dataset: str = "", module: str = "", paper: str = "") -> tuple[Result, ...]:
        """Every seed of the results that fit; an empty word fits all."""
        return tuple(
            one
            for one in self.results
            if dataset in ("", one.dataset) and module in ("", one.module) and paper in ("", one.paper)
        )

    def find_probes(self, module: str, dataset: str = "nyu") -> tuple[Probe, ...]:
        """The probes of every seed; empty where the module has not been probed."""
        return tuple(one for one in self.probes or () if (one.module, one.dataset) == (module, dataset))

    @property
    def not_probed(self) -> str:
        """Why a table or figure of probes cannot be shown."""
        return f"Not shown: {NOT_TRACKED}." if self.probes is None else f"This run: {NOT_RUN}."

    @property
    def not_fitted(self) -> str:
        """Why a table of fits cannot be shown."""
        return f"Not shown: {FITS_NOT_TRACKED}." if self.fits is None else f"This run: {NOT_RUN}."

    def pool(self, *, dataset: str = "", module: str = "", paper: str = "") -> tuple[Pooled, ...]:
        """The same, the seeds of each module on each dataset pooled."""
        groups: dict[tuple[str, str], list[Result]] = {}
        for one in self.find_results(dataset=dataset, module=module, paper=paper):
            groups.setdefault((one.dataset, one.module), []).append(one)
        return tuple(pool_seeds(group) for group in groups.values())
