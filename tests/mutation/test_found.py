"""What mutants have found, each by itself: docs/mutation.md lists them."""

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.datasets import icvl, msra14
from handbench.datasets.archives import BadArchive, unpack
from handbench.datasets.own_depth import load_array
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.number_text import parse_number_text
from handbench.evaluation.table_file import read_table
from handbench.report.run_card import read_run_card
from handbench.training.lightning_loop import EPOCH_FILE, _is_whole
from tests.datasets.miniature import write_icvl
from tests.mutation.label_readers import write_spheres
from tests.mutation.result_readers import vouch_crops, write_crops


@pytest.mark.parametrize("letter", "/-'()*+")
def test_what_only_looks_like_a_dot_is_no_number(letter: str) -> None:
    """Numbers are read eight letters at once; these differ from the dot by less than ten."""
    lines = ["349.132 829.996 1100.125"] * 40
    lines[20] = lines[20].replace("829.", f"829{letter}")
    with pytest.raises(BadInput, match=r"a\.txt, line 21, column 2: expected a number, found .829"):
        parse_number_text("\n".join(lines).encode(), where="a.txt")


def test_predictions_cut_inside_their_last_number_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("1.125 2.250 3.375\n4.500 5.625 6.750")
    assert read_table(path).numbers[1, 2] == 6.75
    path.write_text("1.125 2.250 3.375\n4.500 5.625 6.7")
    with pytest.raises(BadInput, match=r"line 2: expected a line end after the last number, .* end that line"):
        read_table(path)


@pytest.mark.parametrize("place", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_nothing_waits_for_a_pipe_or_a_device(tmp_path: Path, place) -> None:
    place(tmp_path / "mine.txt")
    with pytest.raises(BadInput, match="found something that is not a plain file; check the path"):
        read_table(tmp_path / "mine.txt")


def test_a_header_that_claims_the_memory_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (30000000000,), }"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))
    with pytest.raises(BadInput, match="bytes where its header claims 240,000,000,"):
        load_array(path)


def test_an_array_of_nothing_ends_no_process(tmp_path: Path) -> None:
    """numpy divides by the size of a number when it maps a file: by 0 that is a signal, not an exception."""
    write_crops(tmp_path)
    array = np.zeros(6, "S1")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    (tmp_path / "crops/row.npy").write_bytes(buffer.getvalue().replace(b"|S1", b"|S0"))
    vouch_crops(tmp_path)
    with pytest.raises(BadInput, match=r"row\.npy: expected a \.npy array, found an array of \|S0"):
        open_store(tmp_path / "crops")


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("x", b"1")
    content = (tmp_path / "a.zip").read_bytes()
    at = content.rfind(b"PK\x01\x02")
    (tmp_path / "a.zip").write_bytes(content[: at + 28] + b"\0\0" + content[at + 30 : at + 46] + content[at + 47 :])
    with pytest.raises(BadArchive):
        unpack([(tmp_path / "a.zip", "")], tmp_path / "raw")


def test_an_epoch_with_a_flipped_bit_is_not_gone_on_from(tmp_path: Path) -> None:
    saved = tmp_path / EPOCH_FILE
    torch.save({"state": torch.arange(600.0)}, saved)
    assert _is_whole(saved)
    content = bytearray(saved.read_bytes())
    content[content.find(np.float32(300).tobytes())] ^= 1
    saved.write_bytes(bytes(content))
    assert not _is_whole(saved)
    assert not saved.exists()


def test_a_header_line_joined_with_a_frame_is_told(tmp_path: Path) -> None:
    """The frame would be skipped with the header."""
    write_spheres(tmp_path)
    path = tmp_path / "sphere.txt"
    assert len(msra14.read_spheres(path)) == 3
    path.write_text(path.read_text().replace("\n", " ", 1))
    with pytest.raises(BadInput, match="expected a header line, then as many frames as it counts"):
        msra14.read_spheres(path)


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    path = tmp_path / "Training/labels.txt"
    whole = icvl.list_frames(tmp_path, "train").names
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert icvl.list_frames(tmp_path, "train").names == whole
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(BadInput, match=r"line 1: expected session/image_NNNN\.png .*, found \\ufeff2014"):
        icvl.list_frames(tmp_path, "train")


def test_a_report_does_not_guess_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "call.json").write_text('{"scale": "demo", "settings": {"seeds": [0]}, "sha256": "0"}')
    with pytest.raises(BadInput, match=r"call\.json: expected the note of a workflow call, found a changed one"):
        read_run_card(tmp_path, ())
