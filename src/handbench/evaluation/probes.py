"""What `handbench probe` measured of modules beside their joints: read from a run's folder, chosen as results are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from handbench.entries import Count, Dataset, Entry, Line, check_entries
from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Comparison, compare_seeds
from handbench.training.picture_file import FILE as PICTURES
from handbench.training.picture_file import Pictures, read_pictures
from handbench.training.probe_file import FILE, read_arrays_of, read_probe

BATCH = "64"
"""What every device is timed with, beside single frames."""
ON_CPU = "on_cpu"
"""Among the numbers of a probe on a GPU: the times of the same on the CPU beside it."""
NOT_TRACKED = "probes are files in the run's folder, which the tracking store does not hold"


class _Counted(Entry):
    frames: int = 0


class _Layout(Entry):
    """Of a probe's card; what its numbers are is looked at where they are read."""

    dataset: Dataset
    module: Line
    kind: Line
    paper: Line
    seed: Count
    scale: Line
    source: Line
    centre: Line
    converged: bool | None
    settings: dict[str, Any]
    numbers: _Counted
    sha256_of_pictures: str = ""
    sha256_of_arrays: str = ""
    rendered: dict[Line, Line] = Field(default_factory=dict)
    trained_at: list[Line] = Field(default_factory=list)


@dataclass(frozen=True)
class Probe:
    """One module on one dataset with one seed; `numbers` are what its method's probe gave."""

    dataset: str
    module: str
    kind: str
    paper: str
    seed: int
    scale: str
    source: str
    centre: str
    converged: bool
    """As of a Result: whether training went on until its validation error had stopped falling."""
    settings: Mapping[str, Any]
    numbers: Mapping[str, Any]
    folder: Path | None = None
    """Where its files lie, if there are any."""
    sha256_of_pictures: str = ""
    """Empty of an older probe, which left none."""
    sha256_of_arrays: str = ""
    """Empty of a probe that left none."""
    rendered: Mapping[str, str] = field(default_factory=dict)
    """As of a Result."""
    trained_at: tuple[str, ...] = ()
    """As of a Result."""

    def read(self, *keys: str) -> Any:
        """The number behind these keys; one that an older probe lacks is a BadInput."""
        found: Any = self.numbers
        for key in keys:
            if not isinstance(found, Mapping) or key not in found:
                raise BadInput(
                    f"the probe of {self.module} on {self.dataset}, seed {self.seed}",
                    expected=f"{'.'.join(keys)} among its numbers",
                    found=f"no {key}",
                    fix="probe it again with this release",
                )
            found = found[key]
        return found

    @property
    def frames(self) -> int:
        return int(self.read("frames"))

    @property
    def images(self) -> "Probe":
        """The same with what is known of the images it draws: a loop keeps that under `synthesizer`."""
        inner = self.numbers.get("synthesizer")
        return self if inner is None else replace(self, numbers=inner)

    def open_pictures(self) -> Pictures:
        """The pictures beside its numbers; BadInput where it has none, or not those that it left."""
        if self.folder is None or not self.sha256_of_pictures:
            raise BadInput(
                f"the probe of {self.module} on {self.dataset}, seed {self.seed}",
                expected="pictures beside it",
                found="none, as an older release left it",
                fix="probe it again with this release",
            )
        return read_pictures(self.folder / PICTURES, self.sha256_of_pictures)

    def open_arrays(self) -> dict[str, np.ndarray]:
        """Images and curves beside its numbers; none where it left none."""
        if self.folder is None or not self.sha256_of_arrays:
            return {}
        return read_arrays_of(self.folder, self.sha256_of_arrays)

    @property
    def frame_hand_mm(self) -> Float64[np.ndarray, "frames"]:
        """Mean image error of each frame over the pixels of the hand; NaN for a frame without any."""
        return self._as_numbers(self.images.read("frame_hand_mm"))

    def frame_distances_mm(self, centre: str) -> Float64[np.ndarray, "frames"]:
        """How far from its joint a localizer's probe found each frame's centre: `first`, `shifted` or `localized`."""
        return self._as_numbers(self.read(f"frame_{centre}_mm"))

    def _as_numbers(self, values: Any) -> Float64[np.ndarray, "frames"]:
        try:
            return np.array([_number(value) for value in values], np.float64)
        except (TypeError, ValueError):
            where, found = f"the probe of {self.module} on {self.dataset}, seed {self.seed}", repr(values)
            raise BadInput(where, expected="a number of each frame", found=found, fix="probe it again") from None


def read_probes(run: Path) -> tuple[Probe, ...]:
    """Every probe of a run, sorted by dataset, module and seed."""
    found = []
    for path in sorted(run.glob(f"probe/*/*/seed*/{FILE}")):
        content = read_probe(path)
        fix = "delete it and run the pipeline again"
        check_entries(path, _Layout, content, holds="a probe of this release", fix=fix)
        found.append(_parse_probe(content, path.parent))
    return tuple(sorted(found, key=lambda one: (one.dataset, one.module, one.seed)))


def select_probes(probes: Sequence[Probe], settings: Mapping[str, Any]) -> tuple[Probe, ...]:
    """Those that the settings of a call ask for, by the rule of `results.select_results`."""
    modules, use, seeds = settings["modules"], settings["use"], settings["seeds"]
    return tuple(
        one
        for one in probes
        if one.module in modules
        and one.dataset in modules[one.module]["datasets"]
        and one.dataset in use
        and one.seed in seeds
    )


def group_probes(probes: Sequence[Probe]) -> dict[tuple[str, str], tuple[Probe, ...]]:
    """(module, dataset): one probe a seed, in the order of the seeds."""
    groups: dict[tuple[str, str], list[Probe]] = {}
    for one in sorted(probes, key=lambda probe: probe.seed):
        groups.setdefault((one.module, one.dataset), []).append(one)
    return {key: tuple(group) for key, group in groups.items()}


def compare_images(ours: Sequence[Probe], theirs: Sequence[Probe]) -> Comparison:
    """The paired difference in the image error of each frame's hand; negative where the first errs less."""
    first, second = (sorted(probes, key=lambda one: one.seed) for probes in (ours, theirs))
    seeds, others = ([one.seed for one in probes] for probes in (first, second))
    sequences = [tuple(one.images.read("sequences")) for one in (*first, *second)]
    if seeds != others or len(set(sequences)) > 1:
        raise BadInput(
            f"the images of {first[0].module} against those of {second[0].module}",
            expected="probes of the same frames with the same seeds",
            found=f"seeds {seeds} against {others}" if seeds != others else "other frames",
            fix="probe both on one test set with the same seeds",
        )
    return compare_seeds([one.frame_hand_mm for one in first], [one.frame_hand_mm for one in second], sequences[0])


def compare_centres(probes: Sequence[Probe], ours: str, theirs: str) -> Comparison:
    """The paired difference of two centres' distances from the joint over all seeds of a localizer."""
    sequences = [tuple(one.read("sequences")) for one in probes]
    if len(set(sequences)) > 1:
        raise BadInput(
            f"the probes of {probes[0].module}",
            expected="the same frames with every seed",
            found="others",
            fix="probe all seeds on one test set",
        )
    first, second = ([one.frame_distances_mm(centre) for one in probes] for centre in (ours, theirs))
    return compare_seeds(first, second, sequences[0])


def group_by_device(probes: Sequence[Probe]) -> dict[str, list[Probe]]:
    """Those timed on each device, by what it is called: the CPU beside a GPU is one of its own."""
    groups: dict[str, list[Probe]] = {}
    for one in (*probes, *find_on_cpu(probes)):
        groups.setdefault(describe_device(one), []).append(one)
    return groups


def find_on_cpu(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """The times of the CPU beside a GPU as probes of their own; older probes have none."""
    return tuple(
        replace(one, numbers={"frames": one.frames, **beside})
        for one in probes
        if isinstance(beside := one.numbers.get(ON_CPU), Mapping)
    )


def list_batches(probes: Sequence[Probe]) -> list[str]:
    """The batches that all of them were timed with, smallest first."""
    return sorted(set.intersection(*(set(one.read("milliseconds")) for one in probes)), key=int)


def find_single_ms(probes: Sequence[Probe], part: str) -> float:
    """Milliseconds of a single frame, of this part of what was timed."""
    return float(np.mean([one.read("milliseconds", "1", part) for one in probes]))


def find_fastest(probes: Sequence[Probe]) -> tuple[str, float]:
    """The batch of most frames a second, and these: of 64, and of the larger one that a GPU was timed with as well."""
    batches = [BATCH, *(batch for batch in list_batches(probes) if batch not in ("1", BATCH))]
    speeds = {
        batch: float(np.mean([1000 / one.read("milliseconds", batch, "loop") for one in probes])) for batch in batches
    }
    fastest = max(speeds, key=lambda batch: speeds[batch])
    return fastest, speeds[fastest]


def describe_devices(probes: Sequence[Probe]) -> str:
    """Those of several probes, each once."""
    return ", ".join(dict.fromkeys(describe_device(one) for one in probes))


def describe_device(probe: Probe) -> str:
    """What it was timed on; a GPU's calls are replays of CUDA graphs, as far as they could be captured."""
    replayed = probe.numbers.get("cuda_graph")
    if replayed is None:
        return name_device(probe)
    return f"{name_device(probe)}, {'CUDA graphs' if replayed else 'not all in CUDA graphs'}"


def name_device(probe: Probe) -> str:
    """The device and the precision; threads are the CPU's."""
    threads = probe.read("threads")
    device = probe.read("device")
    words = f"{device}, {threads} thread{'s' * (threads != 1)}" if device == "CPU" else str(device)
    return f"{words}, {probe.read('precision')}"


def _parse_probe(content: Mapping[str, Any], folder: Path) -> Probe:
    kept = ("dataset", "module", "kind", "paper", "seed", "scale", "source", "centre", "settings", "numbers")
    return Probe(
        converged=content["converged"] is True,
        folder=folder,
        sha256_of_pictures=content.get("sha256_of_pictures", ""),
        sha256_of_arrays=content.get("sha256_of_arrays", ""),
        rendered=content.get("rendered", {}),
        trained_at=tuple(content.get("trained_at", ())),
        **{key: content[key] for key in kept},
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
