"""What else can lie at a file's place: nothing, a folder, a link that leads round or away, a pipe, a device."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

Placing = Callable[[Path], None]


def take_away(path: Path) -> None:
    path.unlink()


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_full_folder(path: Path) -> None:
    content = path.read_bytes()
    put_folder(path)
    (path / path.name).write_bytes(content)


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("not-there")


def link_to_zeros(path: Path) -> None:
    """A device without an end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def link_to_content(path: Path) -> None:
    """A link to the very file: nothing is wrong with it."""
    moved = path.with_name(f".moved.{path.name}")
    path.rename(moved)
    path.symlink_to(moved.name)


def put_pipe(path: Path) -> None:
    """Nobody writes into it: whoever opens it to read waits without end."""
    path.unlink()
    os.mkfifo(path)


PLACINGS: tuple[Placing, ...] = (
    *(take_away, put_folder, put_full_folder, link_to_itself, link_to_nothing, link_to_zeros, link_to_content),
    put_pipe,
)


def choose_placing(random: Random) -> Placing:
    return random.choice(PLACINGS)
