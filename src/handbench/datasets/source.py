"""Whether frames come from the embedded hand or from a download: every table and picture is stamped with it."""

from pathlib import Path

from handbench.json_file import read_noted_object

TRUTH = "truth.npz"
MANIFEST = "manifest.json"
FOLDERS_ABOVE = 3


def name_source(root: Path) -> str:
    """ "embedded" where `synthesize` left its truth.npz beside or above the frames, "real" otherwise.

    Of rendered frames it is the source of the hands in them, which their manifest tells.
    """
    folder = _find_truth(root)
    if folder is None:
        return "real"
    return _read_manifest(folder).get("source", "embedded")


def explain_source(root: Path) -> str:
    """On what the word of `name_source` rests: embedded files themselves cannot be told from a download."""
    folder = _find_truth(root)
    if folder is not None and "source" in _read_manifest(folder):
        return f"the hands that the {MANIFEST} of the rendered set names"
    found = "no" if folder is None else "a"
    return f"{found} {TRUTH} in the dataset's folder or up to {FOLDERS_ABOVE} above it"


def find_rendered(root: Path) -> str | None:
    """The digest of the rendered set whose frames these are, by which its manifest is sealed; None of any others."""
    folder = _find_truth(root)
    return _read_manifest(folder).get("sha256") if folder else None


def _find_truth(root: Path) -> Path | None:
    folders = (root, *root.resolve().parents[:FOLDERS_ABOVE])
    return next((folder for folder in folders if (folder / TRUTH).is_file()), None)


def _read_manifest(folder: Path) -> dict[str, str]:
    """What lies beside a truth; nothing where a run is not finished."""
    return read_noted_object(folder / MANIFEST)
