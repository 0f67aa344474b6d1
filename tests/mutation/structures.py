"""Damage that keeps a format's outer form: JSON, arrays, PNG chunks and settings that are whole but say odd things."""

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from tests.mutation.damage import Damage

HUGE_INTEGER = 10**400
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, -(2**63), HUGE_INTEGER, 1e308, -0.0, 1e-320, 0.5),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "nan", "0", "../..", "\0", "a\nb", "é" * 300, "9" * 5000),
    *([], {}, [[]], [None], [0], ["x"], {"": None}, [1, [2]], [[1, 2], [3]], {"x": 1}),
)


def _walk(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [path, *(found for key in keys for found in _walk(tree[key], (*path, key)))]


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def change_tree(random: Random, tree: Any) -> Any:
    """One value odd, gone, moved, wrapped, under another name or swapped with another."""
    places = _walk(tree)[1:]
    if not places:
        return random.choice(ODD_VALUES)
    # Long lists of numbers must not hide the few keys above them.
    depths = sorted({len(place) for place in places})
    depth = random.choice(depths)
    place = random.choice([one for one in places if len(one) == depth])
    parent, key = _at(tree, place[:-1]), place[-1]
    kind = random.randrange(7)
    if kind <= 1:
        parent[key] = random.choice(ODD_VALUES)
    elif kind == 2:
        del parent[key]
    elif kind == 3:
        parent[key] = random.choice(([parent[key]], {"value": parent[key]}, str(parent[key])))
    elif kind == 4 and isinstance(parent, dict):
        parent[str(key) + random.choice(("x", " ", "", "_mm"))] = parent.pop(key)
    elif kind == 5 and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = random.choice((-parent[key], parent[key] * 1000, parent[key] + 1, float(parent[key])))
    else:
        other = random.choice([one for one in places if len(one) == depth])
        _at(tree, other[:-1])[other[-1]], parent[key] = parent[key], _at(tree, other)
    return tree


def change_json(random: Random, content: bytes) -> bytes:
    return json.dumps(change_tree(random, json.loads(content)), indent=1).encode()


def repeat_json_key(random: Random, content: bytes) -> bytes:
    """A key that stands twice: what is read depends on who reads."""
    tree = json.loads(content)
    if not isinstance(tree, dict) or not tree:
        return b'{"a": 1, "a": 2}'
    key = random.choice(sorted(tree))
    text = json.dumps(tree)
    return f"{{{json.dumps(key)}: {json.dumps(random.choice(ODD_VALUES))}, {text[1:]}".encode()


def rename_dataset(random: Random, content: bytes) -> bytes:
    """As of a checkout to which a dataset was added that this one has not."""
    return content.replace(b'"dataset": "nyu"', b'"dataset": "toyset"')


JSON: tuple[Damage, ...] = (change_json, change_json, change_json, change_json, repeat_json_key)


def change_array(random: Random, array: np.ndarray) -> np.ndarray:
    """Another type, byte order, shape, order, or a number that cannot be."""
    changes: list[Callable[[], np.ndarray]] = [
        lambda: array.astype(random.choice(("<f8", ">f4", "<f2", "<i4", "u1", "?", "<c8", "S8", "<U8"))),
        lambda: array.astype(array.dtype.newbyteorder(">")) if array.dtype.kind in "fiu" else array,
        lambda: array[: random.randrange(len(array) + 1)] if array.ndim else array,
        lambda: np.concatenate([array, array[:1]]) if array.ndim and len(array) else array,
        lambda: array[None],
        lambda: array.ravel(),
        lambda: array.T,
        lambda: np.empty((0,) * max(array.ndim, 1), array.dtype),
        lambda: np.asarray(array[..., :-1]) if array.ndim else array,
        lambda: np.array(0.0),
        lambda: np.zeros_like(array, dtype="M8[s]"),
        lambda: array[::-1] if array.ndim else array,
        lambda: np.asfortranarray(array),
    ]
    if array.dtype.kind in "fiu" and array.size:
        changes += [lambda: _spoil_number(random, array)] * 5
    with np.errstate(all="ignore"):
        try:
            return random.choice(changes)()
        except (ValueError, TypeError):
            return np.zeros((), array.dtype)


def _spoil_number(random: Random, array: np.ndarray) -> np.ndarray:
    spoilt = array.copy()
    odd = (np.nan, np.inf, -np.inf, -1.0, 1e30, 0.0, 1e5) if array.dtype.kind == "f" else (0, -1, 2**31 - 1, 127)
    with np.errstate(all="ignore"):
        spoilt.flat[random.randrange(array.size)] = np.array(random.choice(odd)).astype(array.dtype)
    return spoilt


def _save_array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def odd_array_header(random: Random, content: bytes) -> bytes:
    """A .npy whose header claims another type or size than what follows."""
    at = content.find(b"\x93NUMPY")
    if at < 0:
        return content
    length = int.from_bytes(content[at + 8 : at + 10], "little")
    end = at + 10 + length
    types = ("'<f8'", "'>f4'", "'|O'", "'<f2'", "'|V4'", "'<M8[s]'", "[('a', '<f4')]", "'|S0'", "'x'", "None")
    shapes = ("(10000000000,)", "(-1,)", "(0,)", "()", "(1, 2)", "(4294967296, 4294967296)", "(3.5,)", "('x',)")
    order = random.choice(("False", "True", "1", "None"))
    header = f"{{'descr': {random.choice(types)}, 'fortran_order': {order}, 'shape': {random.choice(shapes)}, }}"
    text = random.choice((header, header * 2, "{", "(" * 3000, "__import__('os')", header + "\n# more")).encode()
    return content[: at + 8] + struct.pack("<H", len(text)) + text + content[end:]


def change_npy(random: Random, content: bytes) -> bytes:
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if random.random() < 0.1:
        return _save_array(np.array([{"x": 1}], dtype=object))
    return _save_array(change_array(random, array))


def change_npz(random: Random, content: bytes) -> bytes:
    """One array of an archive changed, gone, under another name, pickled, twice, or no array at all."""
    with np.load(io.BytesIO(content), allow_pickle=False) as held:
        members = {f"{name}.npy": _save_array(held[name]) for name in held.files}
    name = random.choice(sorted(members))
    kind = random.randrange(10)
    if kind <= 4:
        members[name] = change_npy(random, members[name])
    elif kind == 5:
        del members[name]
    elif kind == 6:
        members[random.choice(("../../out.npy", "/out.npy", "x.npy", "arr_0.npy", ".npy"))] = members.pop(name)
    elif kind == 7:
        members[name] = random.choice((b"", b"no array", bytes(64)))
    elif kind == 8:
        members[name] = odd_array_header(random, members[name])
    else:
        other = random.choice(sorted(members))
        members[name], members[other] = members[other], members[name]
    return pack_members(members, twice=name if random.random() < 0.05 and name in members else "")


def pack_members(members: dict[str, bytes], *, twice: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings(action="ignore"):
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        if twice:
            archive.writestr(zipfile.ZipInfo(twice), members[twice][::-1], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def npz_bomb(random: Random, content: bytes) -> bytes:
    """An array of zeros that is far larger than its archive: 8 GB from 8 MB would be the real one."""
    with np.load(io.BytesIO(content), allow_pickle=False) as held:
        members = {f"{name}.npy": _save_array(held[name]) for name in held.files}
    name = random.choice(sorted(members))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3000000000,), }"
    members[name] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(8_000_000)
    return pack_members(members)


NPY: tuple[Damage, ...] = (change_npy, change_npy, odd_array_header)
NPZ: tuple[Damage, ...] = (change_npz, change_npz, change_npz, change_npz, npz_bomb)


def split_png(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def join_png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def change_png(random: Random, content: bytes) -> bytes:
    """Chunks with sums that are right: another header, order, cut of the pixels, or pixels that are too many."""
    chunks = split_png(content)
    header = bytearray(chunks[0][1])
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    kind = random.randrange(10)
    if kind == 0:
        header[random.randrange(13)] = random.choice((0, 1, 2, 3, 4, 8, 16, 255))
        chunks[0] = (b"IHDR", bytes(header))
    elif kind == 1:
        del chunks[random.randrange(len(chunks))]
    elif kind == 2:
        chunks.insert(random.randrange(len(chunks) + 1), random.choice(chunks))
    elif kind == 3:  # lawful: comments and what nobody knows
        chunks.insert(random.randint(1, len(chunks) - 1), (random.choice((b"tEXt", b"tIME", b"zzZz")), b"a\0b"))
    elif kind == 4:
        chunks = _recut(chunks, zlib.compress(pixels + bytes(random.choice((1, 10, 50_000_000)))), 1)
    elif kind == 5:
        chunks = _recut(chunks, zlib.compress(pixels[: -random.randint(1, 5000)]), 1)
    elif kind == 6:  # lawful: the same pixels in other pieces
        chunks = _recut(chunks, zlib.compress(pixels, random.randrange(1, 10)), random.randint(1, 9))
    elif kind == 7:  # another picture, which nobody can know
        spoilt = bytearray(pixels)
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
        chunks = _recut(chunks, zlib.compress(bytes(spoilt)), 1)
    elif kind == 8:
        chunks = _recut(chunks, zlib.compress(pixels)[:-4] + random.randbytes(4), 1)
    else:
        chunks = _recut(chunks, zlib.compress(pixels) + random.randbytes(random.randint(1, 9)), 1)
    return join_png(chunks)


def _recut(chunks: list[tuple[bytes, bytes]], packed: bytes, pieces: int) -> list[tuple[bytes, bytes]]:
    size = -(-len(packed) // pieces)
    return [
        chunks[0],
        *((b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size)),
        (b"IEND", b""),
    ]


PNG: tuple[Damage, ...] = (change_png, change_png, change_png, change_png)


def change_tensors(random: Random, content: bytes) -> bytes:
    """The header of a safetensors file with another word in it."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(change_tree(random, json.loads(content[8 : 8 + length]))).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


TENSORS: tuple[Damage, ...] = (change_tensors, change_tensors, change_tensors)
YAML_WORDS = (
    *("!!python/object/apply:os.system ['true']", "!!binary x", "*none", "&a [*a]", "{a: 1, a: 2}", "? x", "[", "{"),
    *("2026-01-01", "0o17", "0x1F", "1:30", ".nan", ".inf", "~", "yes", "off", "|", ">", "- - -", "'", '"', "@", "`"),
    *("1e3", "1_000", "<<: *x", "!!set {a}", "!!int x", "\tx", "\x07", "é", "💥", "1.0", "'1'", "-1", "0", "[1, 1]"),
)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A billion laughs: a few lines whose aliases unfold to 9^9 words."""


def change_settings(random: Random, content: bytes) -> bytes:
    """A value of a line replaced, a key twice, a line indented otherwise, or a bomb of aliases in front."""
    lines = content.decode().split("\n")
    at = random.choice([place for place, line in enumerate(lines) if ":" in line] or [0])
    head, _, _ = lines[at].partition(":")
    kind = random.randrange(6)
    if kind <= 2:
        lines[at] = f"{head}: {random.choice(YAML_WORDS)}"
    elif kind == 3:
        lines.insert(at + 1, f"{head}: {random.choice(YAML_WORDS)}")
    elif kind == 4:
        lines[at] = random.choice((" ", "  ", "\t")) + lines[at]
    else:
        lines.insert(
            0, random.choice((BOMB, "[" * 3000, "---", "--- x\n---", "%YAML 9.9\n---", "{" * 500, "- " * 2000))
        )
    return "\n".join(lines).encode()


YAML: tuple[Damage, ...] = (change_settings, change_settings, change_settings, change_settings, change_settings)
