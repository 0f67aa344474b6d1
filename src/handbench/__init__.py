"""handbench: five papers on depth-based 3D hand pose, run side by side from data to printed table."""

from typing import Any

__version__ = "0.1.0"

__all__ = ["open_crops"]


def __getattr__(name: str) -> Any:
    """Torch loads when `open_crops` is first asked for, not with the package."""
    if name == "open_crops":
        from handbench.datasets.torch_dataset import open_crops

        return open_crops
    raise AttributeError(f"module 'handbench' has no attribute {name!r}")
