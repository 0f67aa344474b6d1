"""Whether frames come from the embedded hand or from a download: every table and picture is stamped with it."""

from pathlib import Path


def name_source(root: Path) -> str:
    """ "embedded" where `synthesize` left its truth.npz beside or above the frames, "real" otherwise."""
    folders = (root, *root.resolve().parents[:3])
    return "embedded" if any((folder / "truth.npz").is_file() for folder in folders) else "real"
