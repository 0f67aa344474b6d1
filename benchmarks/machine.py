"""One thread for everybody, and what machine the numbers are of."""

import os
import platform
from pathlib import Path

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # Mesa's software OpenGL draws in the calling thread.
    "LP_NUM_THREADS": "0",
}


def set_environment() -> None:
    """Libraries read these when they are first imported, so this comes before them."""
    os.environ.update(_ONE_THREAD)


def use_one_thread() -> None:
    """What the environment cannot say, to the libraries that have a switch of their own."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def name_processor() -> str:
    """The processor's model, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def list_versions() -> dict[str, str]:
    """Versions that a number depends on; a library that is absent is left out."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in ("numpy", "numba", "torch", "opencv-python-headless", "pillow", "pyrender"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
