"""Opening a store: checksums, shapes, and clear refusals."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from crop_fixtures import make_listing

from handbench.datasets.crops import build_crops
from handbench.datasets.row_file import RowFile
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.sealed import seal


@pytest.fixture
def path(tmp_path):
    build_crops(make_listing(5), centre="joint", size_px=16, out=tmp_path / "store")
    return tmp_path / "store"


def test_arrays_are_mapped_not_read(path):
    store = open_store(path)
    assert isinstance(store.depth, np.memmap)
    assert not store.depth.flags.writeable
    assert len(store) == 5


@pytest.mark.parametrize(
    "name", ["depth.npy", "joints.npy", "centre.npy", "cube.npy", "patch_from_image.npy", "row.npy", "index.csv"]
)
def test_one_changed_byte_is_found(path, name):
    content = bytearray((path / name).read_bytes())
    content[-3] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(BadInput, match=f"{name}: expected sha256"):
        open_store(path)
    if name.endswith(".npy"):
        assert len(open_store(path, verify=False)) == 5


@pytest.mark.parametrize("name", ["depth.npy", "index.csv"])
def test_a_lost_file_is_found(path, name):
    (path / name).unlink()
    with pytest.raises(BadInput, match=f"{name}.*no file"):
        open_store(path)


def test_a_wrong_shape_is_found_without_checksums(path):
    np.save(path / "centre.npy", np.zeros((4, 3), np.float32))
    with pytest.raises(BadInput, match=r"centre.npy: expected float32 \(5, 3\), found float32 \(4, 3\)"):
        open_store(path, verify=False)


def test_a_pickle_is_never_loaded(path):
    np.save(path / "cube.npy", np.array([{"a": 1}] * 5, dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"cube\.npy"):
        open_store(path, verify=False)


def test_no_store_names_the_command(tmp_path):
    with pytest.raises(BadInput, match=r"no store.json; run `handbench crop"):
        open_store(tmp_path / "store")
    (tmp_path / "store.partial").mkdir()
    with pytest.raises(BadInput, match="unfinished build"):
        open_store(tmp_path / "store")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "handbench crop store", "version": 99}'])
def test_a_card_that_is_none_is_refused(path, text):
    (path / "store.json").write_text(text)
    with pytest.raises(BadInput, match=r"store\.json"):
        open_store(path)


def test_card_lists_every_file(path):
    card = json.loads((path / "store.json").read_text())
    assert {*card["files"], "store.json"} == {file.name for file in path.iterdir()}


def test_a_store_travels_to_a_worker_as_its_path(path):
    packed = pickle.dumps(open_store(path))
    assert len(packed) < 500
    assert pickle.loads(packed).names == open_store(path).names


def test_rows_in_pieces_make_the_file_numpy_writes(tmp_path):
    rows = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    file = RowFile(tmp_path / "pieces.npy", (2, 3), np.float32)
    file.cut(0)
    file.append(rows[:1])
    file.append(rows[3:])
    file.cut(1)
    file.append(rows[1:])
    file.finish(4)
    np.save(tmp_path / "whole.npy", rows)
    assert (tmp_path / "pieces.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def change_card(path, change, *, sealed):
    card = json.loads((path / "store.json").read_text())
    change(card)
    card.pop("sha256")
    (path / "store.json").write_text(json.dumps(seal(card) if sealed else {**card, "sha256": "0" * 64}))


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.update(files={}),
        lambda card: card["protocol"]["centre"].update(uses_ground_truth=False),
        lambda card: card.update(skipped=[{"row": 1}]),
    ],
)
@pytest.mark.parametrize("verify", [True, False])
def test_a_changed_card_is_found(path, change, verify):
    change_card(path, change, sealed=False)
    with pytest.raises(BadInput, match=r"store\.json: expected the card of a crop store, found a changed one"):
        open_store(path, verify=verify)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda card: card.pop("files"), "no checksums"),
        (lambda card: card.update(files={}), "checksums of no file"),
        (lambda card: card["files"].pop("depth.npy"), "checksums of centre.npy"),
        (lambda card: card["files"].update({"../x": {"sha256": ""}}), r"checksums of \.\./x"),
        (lambda card: card["files"]["row.npy"].update(sha256=5), "a checksum that is no text"),
        (lambda card: card["files"].update({"row.npy": []}), "a checksum that is no text"),
        (lambda card: card.pop("protocol"), "no protocol"),
        (lambda card: card.pop("rows"), "no number of rows"),
        (lambda card: card["protocol"].pop("joints"), "no list of joints"),
        (lambda card: card["protocol"].pop("dataset"), "no dataset"),
        (lambda card: card["protocol"].update(camera={"f": 1}), "no camera"),
        (lambda card: card["protocol"].update(camera=None), "no camera"),
    ],
)
def test_a_card_that_lacks_something_says_what(path, change, found):
    change_card(path, change, sealed=True)
    with pytest.raises(BadInput, match=rf"store\.json: .*found {found}"):
        open_store(path)


def test_a_store_of_another_release_is_not_called_damaged(path):
    change_card(path, lambda card: card.update(version=1), sealed=True)
    with pytest.raises(BadInput, match="found 'handbench crop store' version 1; run the crop again"):
        open_store(path)


@pytest.mark.parametrize("name", ["depth.npy", "index.csv"])
def test_a_lost_or_emptied_file_is_found_without_checksums(path, name):
    (path / name).write_bytes(b"")
    with pytest.raises(BadInput, match=name):
        open_store(path, verify=False)
    (path / name).unlink()
    with pytest.raises(BadInput, match=f"{name}.*No such file"):
        open_store(path, verify=False)


def test_an_archive_in_an_array_place_is_refused(path):
    np.savez(path / "cube.npz", np.zeros(5))
    (path / "cube.npz").rename(path / "cube.npy")
    with pytest.raises(BadInput, match=r"cube\.npy: expected a \.npy array"):
        open_store(path, verify=False)


def test_the_current_folder_may_be_asked(path, monkeypatch):
    monkeypatch.chdir(path)
    assert len(open_store(Path())) == 5
    monkeypatch.chdir(path.parent)
    with pytest.raises(BadInput, match=r"no store\.json"):
        open_store(Path())


def test_rows_on_the_disk_are_held_to_their_digest(tmp_path):
    file = RowFile(tmp_path / "rows.npy", (2,), np.float32)
    file.cut(0)
    file.append(np.zeros((3, 2), np.float32))
    digest = file.digest()
    assert RowFile(file.path, (2,), np.float32).can_resume(3, digest)
    assert not file.can_resume(2, digest)
    assert not file.can_resume(4, digest)
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1
    file.path.write_bytes(content)
    assert not file.can_resume(3, digest)
