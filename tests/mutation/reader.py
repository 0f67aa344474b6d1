"""What a test of mutants has to know of a reader: a specimen of its files, how they are read, and what they say."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.mutation.damage import BYTES, Damage
from tests.mutation.places import choose_placing

SHARE_OF_PLACES, SHARE_OF_VOUCHED, SHARE_TWICE = 0.05, 0.4, 0.15
Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """One reader; all functions take the folder that `write` has filled."""

    name: str
    write: Callable[[Path], object]
    files: tuple[str, ...]
    """Those that are damaged, one a mutant."""
    read: Read
    damages: tuple[Damage, ...] = ()
    """What the format suffers beside damage of plain bytes; half of all mutants are of these, if there are any."""
    says: Read | None = None
    """A second, slow reading of formats without a checksum: what is read of a damaged file must be what that file now
    says. Without it the only data that may be read are those of the undamaged files."""
    vouch: Callable[[Path], object] | None = None
    """Writes the digests of the damaged files anew: reading may then give other data, but must not break."""
    cut_is_told: bool = True
    """Whether a file that has lost its end is known for one; not so where any number of lines is lawful."""
    command: Callable[[Path], Sequence[str]] | None = None
    """The words of `handbench` that read these files."""
    told_elsewhere: tuple[str, ...] = ()
    """Files whose damage that command does not stop for, but tells in what it makes."""
    words_alone: bool = False
    """Whether the file only carries words that a shell hands on, so that nothing else can lie in its place."""
    fits: Callable[[Path, Any, Any], bool] | None = None
    """Of a reader that refuses nothing, but does without what is damaged or tells of it: whether the data that it gives
    can be of these files, beside the data of the whole ones."""


@dataclass(frozen=True)
class Mutant:
    """What was done to which file."""

    number: int
    file: str
    damages: tuple[str, ...]
    vouched: bool

    def __str__(self) -> str:
        vouched = ", its digest written anew" if self.vouched else ""
        return f"mutant {self.number}: {self.file} after {', '.join(self.damages)}{vouched}"


class Specimen:
    """The files of a reader in a folder, damaged and mended as often as one likes."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader, self.folder = reader, folder
        folder.mkdir(parents=True, exist_ok=True)
        reader.write(folder)
        self._folders = {path for path in folder.rglob("*") if path.is_dir()}
        self._whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def damage(self, seed: int, number: int) -> Mutant:
        """The same seed and number give the same mutant, whatever came before."""
        reader, random = self.reader, Random(f"{self.reader.name} {seed} {number}")
        file = random.choice(reader.files)
        path = self.folder / file
        if random.random() < SHARE_OF_PLACES and not reader.words_alone:
            placing = choose_placing(random)
            placing(path)
            return Mutant(number, file, (placing.__name__,), False)
        damages = [self._choose(random) for _ in range(1 + (random.random() < SHARE_TWICE))]
        content = self._whole[path]
        for one in damages:
            content = _apply(one, random, content)
        path.write_bytes(content)
        vouched = reader.vouch is not None and random.random() < SHARE_OF_VOUCHED
        if reader.vouch and vouched:
            try:
                reader.vouch(self.folder)
            except Exception:  # a card that is no card has no place for a digest
                vouched = False
        return Mutant(number, file, tuple(one.__name__ for one in damages), vouched)

    def mend(self) -> None:
        """Everything as `write` left it, whatever was put in its place or beside it."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if path not in self._folders and path not in self._whole:
                    path.rmdir()
            elif path not in self._whole:
                path.unlink()
        for path, content in self._whole.items():
            if path.is_symlink() or (path.exists() and not path.is_file()):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            if not path.is_file() or path.stat().st_size != len(content) or path.read_bytes() != content:
                path.write_bytes(content)

    def _choose(self, random: Random) -> Damage:
        own = self.reader.damages
        return random.choice(own if own and random.random() < 0.5 else BYTES)


def _apply(damage: Damage, random: Random, content: bytes) -> bytes:
    try:
        return damage(random, content)
    except Exception:  # what needs a whole file of its format leaves one that an earlier damage broke
        return content


def list_facts(value: Any) -> Any:
    """Data as plain values that can be compared: arrays by type, shape and every bit."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
    if is_dataclass(value) and not isinstance(value, type):
        return tuple((field.name, list_facts(getattr(value, field.name))) for field in fields(value))
    if isinstance(value, dict):
        return tuple((key, list_facts(one)) for key, one in sorted(value.items(), key=lambda item: str(item[0])))
    if isinstance(value, list | tuple):
        return tuple(list_facts(one) for one in value)
    if hasattr(value, "numpy"):
        return list_facts(value.detach().cpu().numpy())
    return getattr(value, "__qualname__", "") if callable(value) else repr(value)


def agree(one: Any, other: Any) -> bool:
    """Whether two readings mean the same, up to the rounding of float32."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        if {one.dtype.kind, other.dtype.kind} - set("fiub"):
            return one.shape == other.shape and bool((one == other).all())
        return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-3, equal_nan=True)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(agree(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and repr(one) == repr(other)
