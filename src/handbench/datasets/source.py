"""Whether frames come from the embedded hand or from a download: every table and picture is stamped with it."""

from pathlib import Path

TRUTH = "truth.npz"
FOLDERS_ABOVE = 3


def name_source(root: Path) -> str:
    """ "embedded" where `synthesize` left its truth.npz beside or above the frames, "real" otherwise."""
    folders = (root, *root.resolve().parents[:FOLDERS_ABOVE])
    return "embedded" if any((folder / TRUTH).is_file() for folder in folders) else "real"


def explain_source(root: Path) -> str:
    """On what the word of `name_source` rests: embedded files themselves cannot be told from a download."""
    found = "a" if name_source(root) == "embedded" else "no"
    return f"{found} {TRUTH} in the dataset's folder or up to {FOLDERS_ABOVE} above it"
