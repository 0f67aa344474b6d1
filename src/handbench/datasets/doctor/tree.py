"""One walk over a folder: every file's name and size, and what could not be read; nothing is opened."""

import os
import stat
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

MOST_ENTRIES = 3_000_000
"""NYU has about 730 thousand; more than this is somebody's whole disk."""


@dataclass
class Tree:
    """Folders relative to `root` ("" is the root itself), shallow ones first, each with its files and their sizes."""

    root: Path
    files: dict[str, dict[str, int]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    """Names of the folders directly inside each folder."""
    faults: list[str] = field(default_factory=list)
    complete: bool = True

    def has_file(self, folder: str, name: str) -> bool:
        return name in self.files.get(folder, {})

    def has_folder(self, folder: str, name: str) -> bool:
        return join(folder, name) in self.files

    def path(self, folder: str, name: str = "") -> Path:
        return self.root / folder / name

    def below(self, folder: str) -> list[str]:
        """The folder and all folders inside it."""
        return [f for f in self.files if not folder or f == folder or f.startswith(folder + "/")]


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def scan_tree(root: Path) -> Tree:
    """Linked folders are followed, each only once."""
    tree = Tree(root)
    waiting, seen, entries = deque([""]), set(), 0
    while waiting:
        folder = waiting.popleft()
        # A folder that is skipped or refuses stands here as an empty one, so that nobody trips over its name.
        tree.files[folder], tree.children[folder] = {}, []
        if entries > MOST_ENTRIES:
            tree.complete = False
            continue
        try:
            status = (root / folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries += _scan_folder(tree, folder)
        except OSError as error:
            tree.faults.append(f"{folder or '.'} ({error.strerror or error})")
            continue
        waiting.extend(join(folder, child) for child in tree.children[folder])
    return tree


def _scan_folder(tree: Tree, folder: str) -> int:
    files: dict[str, int] = {}
    children: list[str] = []
    with os.scandir(tree.root / folder) as entries:
        for entry in entries:
            try:
                if entry.is_dir():
                    children.append(entry.name)
                elif stat.S_ISREG((status := entry.stat()).st_mode):
                    files[entry.name] = status.st_size
                else:  # a pipe or a device would be read without end
                    tree.faults.append(f"{join(folder, entry.name)} (no plain file)")
            except OSError as error:
                tree.faults.append(f"{join(folder, entry.name)} ({error.strerror or error})")
    tree.files[folder], tree.children[folder] = files, sorted(children)
    return len(files) + len(children)
