"""Probes are read from a run's folder, chosen as results are, and paired frame by frame."""

import json
from pathlib import Path

import numpy as np
import pytest
from claim_fixtures import FRAMES, make_images, make_probe

from handbench.errors import BadInput
from handbench.evaluation.probes import compare_images, read_probes, select_probes
from handbench.sealed import seal
from handbench.training.picture_file import Pictures
from handbench.training.probe_file import divide_numbers, save_probe


def write_probe(run: Path, module: str, seed: int, **changed: object) -> Path:
    content = {"format": "handbench probe", "version": 1, "kind": "feedback15.synthesizer", "module": module}
    content |= {"paper": "feedback15", "settings": {"epochs": 3}, "seed": seed, "dataset": "nyu", "converged": None}
    content |= {"source": "embedded", "scale": "demo", "centre": "com", "sha256_of_checkpoint": ""}
    path = run / "probe" / "nyu" / module / f"seed{seed}" / "probe.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(seal(content | {"numbers": {"frames": 7}} | changed)))
    return path


def test_probes_are_read_and_selected(tmp_path: Path) -> None:
    assert read_probes(tmp_path) == ()
    for module, seed in (("b", 1), ("b", 0), ("a", 0)):
        write_probe(tmp_path, module, seed)
    probes = read_probes(tmp_path)
    assert [(one.module, one.seed) for one in probes] == [("a", 0), ("b", 0), ("b", 1)]
    assert probes[0].frames == 7
    assert probes[0].converged is False, "nobody looked: that is no end"
    asked = {"modules": {"b": {"datasets": ["nyu", "icvl"]}, "c": {"datasets": ["nyu"]}}, "use": ["nyu"], "seeds": [1]}
    assert [(one.module, one.seed) for one in select_probes(probes, asked)] == [("b", 1)]
    assert select_probes(probes, asked | {"use": ["icvl"]}) == ()


def test_a_damaged_probe_is_one_line(tmp_path: Path) -> None:
    path = write_probe(tmp_path, "a", 0)
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(BadInput, match=r"found a changed one .* probe again"):
        read_probes(tmp_path)
    content = {"format": "handbench probe", "version": 1, "converged": True}
    path.write_text(json.dumps(seal(content)))
    with pytest.raises(BadInput, match="expected a probe of this release"):
        read_probes(tmp_path)


def test_arrays_lie_beside_the_numbers_and_are_vouched_for(tmp_path: Path) -> None:
    curves = np.arange(6, dtype=np.float32).reshape(2, 3)
    numbers, arrays = divide_numbers({"frames": 7, "arrays": {"curves": curves}})
    assert numbers == {"frames": 7}
    folder = write_probe(tmp_path, "b", 0).parent
    (bare,) = read_probes(tmp_path)
    assert bare.open_arrays() == {}
    card = json.loads((folder / "probe.json").read_text())
    save_probe(folder, {key: card[key] for key in card if key != "sha256"}, make_few_pictures(), arrays)
    (probe,) = read_probes(tmp_path)
    np.testing.assert_array_equal(probe.open_arrays()["curves"], curves)
    (folder / "arrays.npz").unlink()
    with pytest.raises(BadInput, match="no such file"):
        probe.open_arrays()


def make_few_pictures() -> Pictures:
    image, nothing = np.zeros((1, 4, 4), np.uint8), np.zeros((1, 0), np.float32)
    return Pictures(
        rows=np.zeros(1, np.int64),
        chosen=("even",),
        steps=(),
        camera=image,
        drawn=np.zeros((1, 0, 4, 4), np.uint8),
        truth_px=np.zeros((1, 14, 3), np.float32),
        poses_px=np.zeros((1, 0, 14, 3), np.float32),
        pose_mm=nothing,
        hand_mm=nothing,
        image_mm=nothing,
        cube_mm=np.ones(1, np.float32),
    )


def test_an_older_probe_says_that_it_left_no_pictures(tmp_path: Path) -> None:
    write_probe(tmp_path, "a", 0)
    [probe] = read_probes(tmp_path)
    with pytest.raises(BadInput, match=r"a on nyu, seed 0: .* found none, as an older release left it; probe it"):
        probe.open_pictures()
    write_probe(tmp_path, "b", 0, sha256_of_pictures="0" * 64)
    with pytest.raises(BadInput, match="found no such file"):
        read_probes(tmp_path)[1].open_pictures()


def test_images_are_paired_frame_by_frame() -> None:
    ours, theirs = make_images(8.0), make_images(9.5)
    ours["frame_hand_mm"][0] = None
    comparison = compare_images([make_probe("a", ours)], [make_probe("b", theirs)])
    assert comparison.difference.mean == -1.5
    assert comparison.difference.blocks == FRAMES // 50
    other = make_images() | {"sequences": ["a"] * (FRAMES - 1) + ["b"]}
    with pytest.raises(BadInput, match="found other frames"):
        compare_images([make_probe("a", ours)], [make_probe("b", other)])


def test_frames_without_a_hand_are_left_out() -> None:
    images = make_images()
    images["frame_hand_mm"][3] = float("nan")
    assert np.isnan(make_probe("a", images).frame_hand_mm).sum() == 1
