"""What goes wrong with the bytes of any file, and with a text: each function takes a random source and the content.

Every one gives the damaged content; its name says what was done. Formats with a structure of their own are damaged
beyond this in `structures`, places on the disk in `places`.
"""

import re
import struct
from collections.abc import Callable
from random import Random

Damage = Callable[[Random, bytes], bytes]

ODD_WORDS = (
    *("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e999", "-1e999", "1e308", "1e-320", "-0.0", "0", "-1"),
    *(
        "1_0",
        "0x10",
        "1e",
        "--1",
        "+-1",
        "1,5",
        "1.2.3",
        "٣٤",
        "\uff11\uff12",
        "½",
        "null",
        "None",
        "true",
        "abc",
        '"',
        "'",
    ),
    *("32001", "32001.000", "99999999999999999999", "9" * 400, "9" * 5000, "1e5", "123456.789", "2147483648"),
    *("-2147483649", "18446744073709551616", "#", "%0A", "%00", "\\n", "../../etc/passwd", "/etc/passwd", "[1]", "{}"),
)
"""In the place of a number or a name."""
LINE_ENDS = (b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\n\n", b"\x0b", b"\x0c", b"\x85", "\u2028".encode(), b" \n", b"\\n")
FOREIGN = (
    b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n",
    b"\x89PNG\r\n\x1a\n",
    b"PK\x05\x06" + bytes(18),
    b"\x1f\x8b\x08\x00" + bytes(8),
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
    b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    b"MATLAB 7.3 MAT-file" + bytes(493) + b"\x89HDF\r\n\x1a\n",
    b"\x00" * 4096,
    b"\xff" * 4096,
    b"{}",
    b"[]",
    b"null",
    b"[" * 100_000,
    b"\n" * 1000,
    b"\xef\xbb\xbf",
    b"0",
)
"""Files that stand where another belongs."""
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(rb"[^\s,;]+")


def _span(random: Random, content: bytes, longest: int = 400) -> tuple[int, int]:
    first = random.randrange(len(content) + 1)
    return first, min(len(content), first + random.randint(1, longest))


def cut(random: Random, content: bytes) -> bytes:
    """Most near an end, where only the last number or a checksum is lost."""
    kept = random.choice((random.randrange(len(content) + 1), max(0, len(content) - random.randint(1, 40))))
    return content[:kept]


def cut_front(random: Random, content: bytes) -> bytes:
    return content[random.randint(1, min(64, len(content) or 1)) :]


def empty(random: Random, content: bytes) -> bytes:
    return b""


def flip_bits(random: Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 8, 64))):
        if damaged:
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def flip_early_bit(random: Random, content: bytes) -> bytes:
    """Where headers are."""
    damaged = bytearray(content)
    if damaged:
        damaged[random.randrange(min(len(damaged), 200))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def set_bytes(random: Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice((1, 2, 4))):
        if damaged:
            damaged[random.randrange(len(damaged))] = random.choice((0, 10, 13, 32, 44, 45, 46, 48, 57, 127, 128, 255))
    return bytes(damaged)


def insert_bytes(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice((1, 1, 2, 4, 8, 500))) + content[at:]


def delete_bytes(random: Random, content: bytes) -> bytes:
    first, end = _span(random, content, random.choice((1, 4, 400)))
    return content[:first] + content[end:]


def repeat_bytes(random: Random, content: bytes) -> bytes:
    first, end = _span(random, content)
    return content[:end] + content[first:]


def swap_spans(random: Random, content: bytes) -> bytes:
    first, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    length = random.randint(1, 64)
    one, other = content[first : first + length], content[end : end + length]
    return content[:first] + other + content[first + length : end] + one + content[end + length :]


def clear_bytes(random: Random, content: bytes) -> bytes:
    first, end = _span(random, content, random.choice((8, 512, 100_000)))
    return content[:first] + bytes(end - first) + content[end:]


def append(random: Random, content: bytes) -> bytes:
    more = (b"\n", b"\0", b"x", b"\n\n\n", content, random.randbytes(300), bytes(512), b"\x1a")
    return content + random.choice(more)


def replace_all(random: Random, content: bytes) -> bytes:
    return random.choice((*FOREIGN, random.randbytes(len(content)), bytes(len(content))))


def write_number(random: Random, content: bytes) -> bytes:
    """A number of two, four or eight bytes that is huge, negative or not finite, in either byte order."""
    huge = random.choice((-1, 0, 1, 2**15, 2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**62, 2**63 - 1, 10**9))
    real = random.choice((float("nan"), float("inf"), -float("inf"), 1e38, -1e38, -1.0, 0.0, 1e-40, 32001.0))
    order, kind = random.choice("<>"), random.choice("HIQfd")
    if kind in "fd":
        word = struct.pack(order + kind, real)
    else:
        word = (huge % 2 ** (8 * struct.calcsize(kind))).to_bytes(struct.calcsize(kind), "little")
        word = word if order == "<" else word[::-1]
    at = random.randrange(len(content) + 1)
    at = at - at % 4 if random.random() < 0.7 else at
    at = min(at, 256) if random.random() < 0.4 else at
    return content[:at] + word + content[at + len(word) :]


def turn_byte_order(random: Random, content: bytes) -> bytes:
    """All of it, or all behind a header, in words of two, four or eight bytes."""
    size, first = random.choice((2, 4, 8)), random.choice((0, 24, 128))
    body = content[first : first + (len(content) - first) // size * size]
    turned = b"".join(body[at : at + size][::-1] for at in range(0, len(body), size))
    return content[:first] + turned + content[first + len(body) :]


BYTES: tuple[Damage, ...] = (
    *(cut, cut, cut_front, empty, flip_bits, flip_bits, flip_early_bit, set_bytes, insert_bytes, delete_bytes),
    *(repeat_bytes, swap_spans, clear_bytes, append, replace_all, write_number, write_number, turn_byte_order),
)


def _replace_word(random: Random, content: bytes, words: list[re.Match[bytes]], new: bytes) -> bytes:
    if not words:
        return content + new
    match = random.choice(words)
    return content[: match.start()] + new + content[match.end() :]


def odd_number(random: Random, content: bytes) -> bytes:
    return _replace_word(random, content, list(_NUMBER.finditer(content)), random.choice(ODD_WORDS).encode())


def odd_word(random: Random, content: bytes) -> bytes:
    return _replace_word(random, content, list(_WORD.finditer(content)), random.choice(ODD_WORDS).encode())


def other_number(random: Random, content: bytes) -> bytes:
    """A number of the same kind: the file is another one then, and what is read has to be that one."""
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = random.choice(found)
    digits = bytearray(match[0])
    places = [at for at, letter in enumerate(digits) if letter in b"0123456789"]
    digits[random.choice(places)] = random.choice(b"0123456789")
    new = random.choice((bytes(digits), b"-" + match[0], match[0].lstrip(b"-"), match[0].replace(b".", b"")))
    return content[: match.start()] + new + content[match.end() :]


def swap_words(random: Random, content: bytes) -> bytes:
    words = list(_WORD.finditer(content))
    if len(words) < 2:
        return content
    one, other = sorted(random.sample(words, 2), key=lambda match: match.start())
    between = content[one.end() : other.start()]
    return content[: one.start()] + other[0] + between + one[0] + content[other.end() :]


def drop_word(random: Random, content: bytes) -> bytes:
    return _replace_word(random, content, list(_WORD.finditer(content)), b"")


def change_lines(random: Random, content: bytes) -> bytes:
    """One line left out, twice, somewhere else, empty, or joined with the next."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    kind = random.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines.insert(random.randrange(len(lines)), lines.pop(at))
    elif kind == 3:
        lines.insert(at, b"")
    else:
        lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
    return b"\n".join(lines)


def other_line_ends(random: Random, content: bytes) -> bytes:
    end = random.choice(LINE_ENDS)
    if random.random() < 0.5:
        return content.replace(b"\n", end)
    at = content.find(b"\n", random.randrange(len(content) + 1))
    return content if at < 0 else content[:at] + end + content[at + 1 :]


def other_encoding(random: Random, content: bytes) -> bytes:
    """A mark in front, or all of it in two or four bytes a letter."""
    text = content.decode("latin-1")
    kind = random.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "twice", "inside"))
    if kind == "twice":
        return b"\xef\xbb\xbf" * 2 + content
    if kind == "inside":
        at = random.randrange(len(content) + 1)
        return content[:at] + b"\xef\xbb\xbf" + content[at:]
    return text.encode(kind)


def other_separators(random: Random, content: bytes) -> bytes:
    old = random.choice((b" ", b",", b";", b".", b"\t"))
    return content.replace(old, random.choice((b" ", b",", b";", b"\t", b"  ", b", ", b"\xa0", b"\xc2\xa0", b"|", b"")))


TEXT: tuple[Damage, ...] = (
    *(odd_number, odd_number, odd_word, other_number, swap_words, drop_word, change_lines, change_lines),
    *(other_line_ends, other_encoding, other_separators),
)
