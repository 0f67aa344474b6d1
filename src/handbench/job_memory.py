"""What a job of the workflow takes of memory, in MB: it grows with its frames and their pixels.

The numbers beside a frame lie above what benchmarks/growth.json has measured, which tests hold.
"""

from handbench.config import Config
from handbench.conventions import DATASETS, HANDOBJECT, HANDS, MSRA_SUBJECTS
from handbench.module_entries import RenderedModule
from handbench.modules import KINDS

DRAWING_LEAST_MB, NETWORK_LEAST_MB = 3000, 8000
"""What a job is given at least. Networks take their part whatever the frames: batches, weights, torch itself."""
DRAWING_MB, DRAWN_FRAME_MB = 1000, 0.09
"""Of a job that draws, and of each frame: as was measured when the forearm's mask was kept twice (docs/scaling.md)."""
PROCESS_MB, COPIES = 2000, 2
"""Of a process with torch, and how often it holds what it learns from while it is read."""
PIXEL_BYTES, LABEL_BYTES = 2, 512
"""Of a pixel of a crop; of all else that is kept of a frame, joints, transforms and poses of T_D, so many at most."""


def count_frames(config: Config, dataset: str, split: str = "") -> int:
    """Of one split, or of all: as many as are drawn, or as the release has."""
    frames = DATASETS[dataset].frames if config.source == "real" else {}
    frames = frames or config.datasets[dataset].frames  # type: ignore[index]
    return frames.get(split) or sum(frames.values())


def count_rendered_frames(config: Config, word: str) -> int:
    """Of a rendered set."""
    return sum(config.render.sets[word].model_dump().values())  # type: ignore[index]


def count_training_frames(config: Config, module: str, dataset: str) -> int:
    """That a module learns from."""
    asked = config.modules[module]
    if isinstance(asked, RenderedModule):
        return count_rendered_frames(config, asked.learns)
    if KINDS[asked.kind].learns_hands:
        return count_rendered_frames(config, HANDS.name)
    frames = count_frames(config, dataset, "train")
    left_out = "train" not in DATASETS[dataset].splits
    return round(frames * (1 - 1 / len(MSRA_SUBJECTS))) if left_out else frames


def measure_crops_mb(config: Config, module: str, frames: int) -> float:
    """Crops in half precision and what is known of them."""
    size_px = config.crop.size_px * (2 if KINDS[config.modules[module].kind].renders else 1)
    return frames * (PIXEL_BYTES * size_px**2 + LABEL_BYTES) / 1e6


def ask_for_drawing(config: Config, word: str) -> int:
    """Of `synthesize` with a dataset, of `render` with a rendered set."""
    rendered = word in (*HANDOBJECT.splits, HANDS.name)
    frames = count_rendered_frames(config, word) if rendered else count_frames(config, word)
    return max(DRAWING_LEAST_MB, round(DRAWING_MB + DRAWN_FRAME_MB * frames))


def ask_for_training(config: Config, module: str, dataset: str) -> int:
    """Of each machine: its devices have a process each, and share its part of the crops out among them."""
    asked = config.modules[module]
    crops = measure_crops_mb(config, module, count_training_frames(config, module, dataset))
    return max(NETWORK_LEAST_MB, round(PROCESS_MB * asked.devices + COPIES * crops / asked.nodes))


def ask_for_trained(config: Config, module: str, dataset: str, *, learned: bool) -> int:
    """Of what is done with a trained network on the test frames; a probe may look at what it learned from as well."""
    frames = count_frames(config, dataset, "test")
    frames += count_training_frames(config, module, dataset) if learned else 0
    return max(NETWORK_LEAST_MB, round(PROCESS_MB + COPIES * measure_crops_mb(config, module, frames)))
