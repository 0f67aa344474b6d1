"""Prediction files as people write them, and every mistake in one named line."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from record_fixtures import FRAMES, as_uvd, make_joints, write_text

from handbench.conventions import ICVL_TEST_FRAMES, NYU, NYU_CONV_JOINT_NAMES, NYU_LIE_X_ORDER, NYU_SCORED_JOINTS
from handbench.errors import BadInput
from handbench.evaluation.predictions import GroundTruth, read_ground_truth, read_predictions

TRUE_MM = make_joints()
NAMES = [f"test/depth_1_{row + 1:07d}.png" for row in range(FRAMES)]
NOISY_MM = TRUE_MM + np.random.default_rng(1).normal(0, 6, TRUE_MM.shape)


@pytest.fixture
def truth(tmp_path: Path) -> GroundTruth:
    path = write_text(tmp_path / "nyu_test_groundtruth_label.txt", as_uvd(TRUE_MM))
    return read_ground_truth(path, "nyu", names=NAMES)


def _refusal(path: Path, truth: GroundTruth, **options: str) -> str:
    with pytest.raises(BadInput) as error:
        read_predictions(path, truth, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_labels_come_back_in_millimetres(truth: GroundTruth) -> None:
    np.testing.assert_allclose(truth.joints_mm, TRUE_MM, atol=0.002)


@pytest.mark.parametrize(
    ("separator", "end"),
    [(" ", "\n"), (" ", " \n"), ("\t", "\r\n"), (" ", " \r\r\n"), (",", "\n"), (", ", "\n"), (";", "\n")],
)
@pytest.mark.parametrize("layout", ["uvd", "xyz"])
@pytest.mark.parametrize("named", [False, True])
def test_every_kind_of_text(
    separator: str, end: str, layout: str, named: bool, truth: GroundTruth, tmp_path: Path
) -> None:
    points = as_uvd(NOISY_MM) if layout == "uvd" else NOISY_MM
    path = write_text(tmp_path / "p.txt", points, separator=separator, end=end, names=NAMES if named else None)
    got = read_predictions(path, truth)
    assert got.layout == layout
    np.testing.assert_allclose(got.joints_mm, NOISY_MM, atol=0.002)
    assert got.rows.tolist() == list(range(FRAMES))


def test_a_csv_may_have_a_header_and_comments(truth: GroundTruth, tmp_path: Path) -> None:
    header = ",".join(f"{name}_{axis}" for name in NYU_SCORED_JOINTS.names for axis in "xyz")
    path = write_text(tmp_path / "p.csv", NOISY_MM, separator=",")
    path.write_text(f"# made today\n{header}\n{path.read_text()}")
    np.testing.assert_allclose(read_predictions(path, truth).joints_mm, NOISY_MM, atol=0.002)


@pytest.mark.parametrize("flat", [False, True])
def test_arrays(flat: bool, truth: GroundTruth, tmp_path: Path) -> None:
    array = NOISY_MM.reshape(FRAMES, -1) if flat else NOISY_MM
    np.save(tmp_path / "p.npy", array.astype(np.float32))
    np.savez(tmp_path / "p.npz", anything=array)
    np.savez_compressed(tmp_path / "q.npz", joints_mm=array[::-1], names=np.array(NAMES[::-1]), other=np.arange(3))
    for name in ("p.npy", "p.npz"):
        np.testing.assert_allclose(read_predictions(tmp_path / name, truth).joints_mm, NOISY_MM, atol=1e-3)
    named = read_predictions(tmp_path / "q.npz", truth)
    assert named.rows.tolist() == list(range(FRAMES)), "in list order, whatever that of the file"
    np.testing.assert_allclose(named.joints_mm, NOISY_MM, atol=1e-3)


def test_backslashes_and_short_names_are_matched(truth: GroundTruth, tmp_path: Path) -> None:
    short = [name.split("/")[-1] for name in NAMES]
    for names in ([name.replace("/", "\\") for name in NAMES], short, [f"dataset/{name}" for name in NAMES]):
        order = np.random.default_rng(0).permutation(FRAMES)[:40]
        path = write_text(tmp_path / "p.txt", NOISY_MM[order], names=[names[row] for row in order])
        got = read_predictions(path, truth)
        assert got.rows.tolist() == sorted(order.tolist())
        np.testing.assert_allclose(got.joints_mm, NOISY_MM[got.rows], atol=1e-2)
        assert got.notes == ("covers 40 of 260 frames, by name",)


def test_known_parts_of_a_set_are_recognised_by_their_length(tmp_path: Path) -> None:
    joints_mm = make_joints("icvl", sum(ICVL_TEST_FRAMES.values()))
    label = write_text(tmp_path / "icvl_test_groundtruth_label.txt", as_uvd(joints_mm, "icvl"))
    truth = read_ground_truth(label, "icvl")
    first = read_predictions(write_text(tmp_path / "a.txt", as_uvd(joints_mm[:702], "icvl")), truth)
    second = read_predictions(write_text(tmp_path / "b.txt", as_uvd(joints_mm[702:], "icvl")), truth)
    assert (first.rows[0], first.rows[-1], second.rows[0], second.rows[-1]) == (0, 701, 702, 1595)
    assert first.notes == ("covers 702 of 1,596 frames: test_seq_1",)
    message = _refusal(write_text(tmp_path / "c.txt", as_uvd(joints_mm[:1000], "icvl")), truth)
    assert "expected 1,596 frames or 702 (test_seq_1) or 894 (test_seq_2)" in message
    assert "found 1,000" in message


def test_other_joint_orders_are_read_when_told_and_named_when_not(truth: GroundTruth, tmp_path: Path) -> None:
    conv = [NYU_SCORED_JOINTS.names.index(name) for name in NYU_CONV_JOINT_NAMES]
    lie_x = np.argsort(NYU_LIE_X_ORDER)
    shuffled = np.random.default_rng(3).permutation(14)
    for order, places in (("conv", conv), ("lie-x", lie_x), (",".join(map(str, np.argsort(shuffled))), shuffled)):
        path = write_text(tmp_path / "p.txt", NOISY_MM[:, places])
        np.testing.assert_allclose(read_predictions(path, truth, order=order).joints_mm, NOISY_MM, atol=0.002)
        assert f"add --order {order}" in _refusal(path, truth)


def test_the_scored_joints_are_picked_out_of_all_36(truth: GroundTruth, tmp_path: Path) -> None:
    every = np.random.default_rng(0).normal(500, 5, (FRAMES, 36, 3))
    every[:, NYU.scored] = NOISY_MM
    got = read_predictions(write_text(tmp_path / "p.txt", every), truth)
    np.testing.assert_allclose(got.joints_mm, NOISY_MM, atol=0.002)
    assert got.notes == ("14 scored joints taken of the file's 36",)


UVD = as_uvd(NOISY_MM)
MISTAKES = {
    "metres": (NOISY_MM / 1000, "found metres: "),
    "metres, y up": (NOISY_MM * [1, -1, 1] / 1000, "found metres with y up: "),
    "metres, msra": (NOISY_MM * [1, -1, -1] / 1000, "found metres with y up and z negative"),
    "centimetres": (NOISY_MM / 10, "found centimetres: "),
    "y up": (NOISY_MM * [1, -1, 1], "add --layout xyz-up"),
    "y up, z negative": (NOISY_MM * [1, -1, -1], "add --layout xyz-msra"),
    "z negative": (NOISY_MM * [1, 1, -1], "found z with the wrong sign"),
    "x left": (NOISY_MM * [-1, 1, 1], "found x with the wrong sign"),
    "z first": (NOISY_MM[..., [2, 0, 1]], "found axes in the order zxy"),
    "y first": (NOISY_MM[..., [1, 0, 2]], "found axes in the order yxz"),
    "depth in metres": (UVD * [1, 1, 0.001], "found depth in metres behind pixels"),
    "row before column": (UVD[..., [1, 0, 2]], "found v before u"),
    "depth first": (UVD[..., [2, 0, 1]], "found depth before u, v"),
    "depth, v, u": (UVD[..., ::-1], "found depth before v, u"),
    "u from the right": ([640, 0, 0] + UVD * [-1, 1, 1], "found pixels with u counted from the right: "),
    "both from the other end": ([639, 479, 0] + UVD * [-1, -1, 1], "u counted from the right and v upwards"),
    "pixels from last to first": (UVD[:, ::-1, ::-1], "found columns from last to first (the last joint before"),
    "millimetres from last to first": (NOISY_MM[:, ::-1, ::-1], "x, y, z backwards"),
    "bytes": (UVD.astype(np.int64).astype(np.uint8), "found uint8, which ends at 255"),
    "v upwards": ([0, 480, 0] + UVD * [1, -1, 1], "found pixels with v counted upwards"),
    "negative u": (UVD * [-1, 1, 1], "found u with the wrong sign"),
    "negative v": (UVD * [1, -1, 1], "found v with the wrong sign"),
    "negative depth": (UVD * [1, 1, -1], "found a negative depth"),
    "relative": (NOISY_MM - NOISY_MM.mean(axis=1, keepdims=True), "relative to the hand's centre"),
    "far off": (NOISY_MM + [0, 0, 4000], "the nearest reading"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_unit_sign_and_axes_are_named(mistake: str, truth: GroundTruth, tmp_path: Path) -> None:
    points, message = MISTAKES[mistake]
    np.save(tmp_path / "p.npy", points)
    assert message in _refusal(tmp_path / "p.npy", truth)


@pytest.mark.parametrize(("layout", "signs"), [("xyz-up", [1, -1, 1]), ("xyz-msra", [1, -1, -1]), ("xyz", [1, 1, 1])])
def test_a_layout_that_is_named_is_taken(layout: str, signs: list[int], truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", NOISY_MM * signs)
    np.testing.assert_allclose(read_predictions(path, truth, layout=layout).joints_mm, NOISY_MM, atol=0.002)


def test_xyz_given_as_uvd_is_named(truth: GroundTruth, tmp_path: Path) -> None:
    message = _refusal(write_text(tmp_path / "p.txt", NOISY_MM), truth, layout="uvd")
    assert "found millimetres with x right, y down, z forward" in message
    assert "add --layout xyz" in message


@pytest.mark.parametrize("spread", [30, 80])
def test_a_bad_method_is_not_a_bad_file(spread: float, truth: GroundTruth, tmp_path: Path) -> None:
    """Predictions far off, a constant pose and a wrong depth are results, not mistakes of format."""
    rng = np.random.default_rng(2)
    mean_pose = np.broadcast_to(TRUE_MM.mean(axis=0), TRUE_MM.shape)
    for points in (TRUE_MM + rng.normal(0, spread, TRUE_MM.shape), mean_pose + spread, TRUE_MM + [0, 0, 1.5 * spread]):
        np.save(tmp_path / "p.npy", points)
        assert read_predictions(tmp_path / "p.npy", truth).layout == "xyz"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (28, "expected 42 numbers a frame (14 joints of NYU x 3) or 108 (all 36), found 28 (two a joint: pixels"),
        (43, "found 43 (one more: a running number"),
        (56, "found 56 (four a joint: a confidence"),
        (48, "found 48 (as ICVL would have: another dataset?)"),
        (63, "found 63 (as MSRA and MSRA14 would have"),
        (40, "found 40; "),
    ],
)
def test_wrong_columns_are_named(columns: int, message: str, truth: GroundTruth, tmp_path: Path) -> None:
    assert message in _refusal(write_text(tmp_path / "p.txt", np.ones((FRAMES, columns))), truth)


def test_wrong_frames_are_named(truth: GroundTruth, tmp_path: Path) -> None:
    message = _refusal(write_text(tmp_path / "p.txt", UVD[:-1]), truth)
    assert "expected 260 frames" in message
    assert "found 259" in message
    assert "name in the first column" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("depth_1_0000003", "depth_1_0009999"),
            "line 3: expected the name of a frame, found test/depth_1_0009999.png",
        ),
        (("depth_1_0000003", "depth_1_0000004"), "found test/depth_1_0000004.png more than once"),
    ],
)
def test_wrong_names_are_named(change: tuple[str, str], message: str, truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", UVD, names=NAMES)
    path.write_text(path.read_text().replace(*change))
    assert message in _refusal(path, truth)


def test_names_of_another_list_are_named(truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", UVD, names=[f"frame{row}" for row in range(FRAMES)])
    assert "expected a frame name such as test/depth_1_0000001.png, found frame0" in _refusal(path, truth)


def test_a_word_among_named_numbers_is_placed(truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", UVD, names=NAMES)
    lines = path.read_text().splitlines()
    lines[6] = " ".join([*lines[6].split()[:5], "none", *lines[6].split()[6:]])
    path.write_text("\n".join(lines))
    assert "line 7, column 6: expected a number, found 'none'" in _refusal(path, truth)


@pytest.mark.parametrize("value", ["nan", "inf", "1e+200"])
def test_a_prediction_that_is_no_number_is_placed(value: str, truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", UVD)
    lines = path.read_text().splitlines()
    lines[2] = " ".join([value, *lines[2].split()[1:]])
    path.write_text("\n".join(lines))
    assert f"line 3, column 1: expected a finite number, at most 1e+07, found {value}" in _refusal(path, truth)


def _zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)  # of 1980 at any time
    return buffer.getvalue()


def _npy_of(array: np.ndarray, *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected lines of numbers, found none"),
        (b"\x00\x01\x02", "found a binary file"),
        (b"<html><body>404 not found</body></html>", "expected"),
        (_npy_of(np.array([{"a": 1}]), pickled=True), "expected an array of numbers"),
        (_npy_of(np.zeros((5, 14, 3)))[:-9], "expected an array of numbers"),
        (_npy_of(np.array(["a"])), "expected numbers of shape"),
        (_npy_of(np.zeros((5, 3, 14))), "found float64 of shape (5, 3, 14)"),
        (_zip_of("a.txt", b"hello"), "expected"),
        (_zip_of("a.txt", b"hello")[:-20], "expected an .npz file of plain arrays"),
        (_zip_of("joints.npy", _npy_of(np.array([{"a": 1}]), pickled=True)), "expected an .npz file of plain arrays"),
    ],
)
def test_what_is_no_prediction_file_is_one_clear_line(
    content: bytes, message: str, truth: GroundTruth, tmp_path: Path
) -> None:
    path = tmp_path / "p.any"
    path.write_bytes(content)
    assert message in _refusal(path, truth)


def test_a_file_that_is_not_there(truth: GroundTruth, tmp_path: Path) -> None:
    assert "found no such file" in _refusal(tmp_path / "p.txt", truth)
    assert "expected" in _refusal(tmp_path, truth)


def test_unlabelled_points_are_nan(tmp_path: Path) -> None:
    labels = make_joints("dexter", 10)
    labels[0, 1, 2] = 32001
    labels[1, 2] = np.nan
    np.save(tmp_path / "labels.npy", labels)
    truth = read_ground_truth(tmp_path / "labels.npy", "dexter", layout="xyz")
    assert np.isnan(truth.joints_mm).any(axis=-1).sum() == 2


def test_the_real_label_file_of_icvl_reads_with_its_names_and_line_ends(shared: Path) -> None:
    """Names in the first column and CR CR LF: sequence 1 alone, on which DeepPrior errs by 10.427 mm."""
    truth = read_ground_truth(shared / "real/icvl/test_seq_1.txt", "icvl")
    assert truth.names[0] == "test_seq_1/image_0000.png"
    assert set(truth.sequences) == {"test_seq_1"}
    got = read_predictions(shared / "published/icvl/CVWW15_ICVL_Prior.txt", truth)
    assert got.layout == "uvd"
    assert np.linalg.norm(got.joints_mm - truth.joints_mm, axis=-1).mean() == pytest.approx(10.427, abs=0.0006)


def test_an_archive_that_would_fill_the_memory_is_refused(
    truth: GroundTruth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "p.npz", joints_mm=NOISY_MM)
    monkeypatch.setattr("handbench.evaluation.table_file._MOST_BYTES", 1000)
    assert "arrays of more than" in _refusal(tmp_path / "p.npz", truth)


def test_label_layouts_are_told_apart(tmp_path: Path) -> None:
    msra = make_joints("msra", 8)
    for name, points in (("uvd", as_uvd(msra, "msra")), ("xyz", msra), ("native", msra * [1, -1, -1])):
        np.save(tmp_path / f"{name}.npy", points)
        np.testing.assert_allclose(read_ground_truth(tmp_path / f"{name}.npy", "msra").joints_mm, msra, atol=1e-6)


def test_labels_that_are_missing_do_not_make_pixels_millimetres(tmp_path: Path) -> None:
    """A tenth of the labels is not there; the rest are pixels as plainly as before."""
    points = as_uvd(TRUE_MM)
    points[np.random.default_rng(0).random(points.shape[:2]) < 0.1] = np.nan
    path = write_text(tmp_path / "labels.txt", points)
    truth = read_ground_truth(path, "nyu")
    known = ~np.isnan(truth.joints_mm).any(axis=-1)
    assert 0.85 < known.mean() < 0.95
    np.testing.assert_allclose(truth.joints_mm[known], TRUE_MM[known], atol=0.02)


@pytest.mark.parametrize(
    ("factor", "said"), [(0.001, r"found 0\.\d+ at the median \(metres\)"), (0.1, r"at the median \(centimetres\)")]
)
def test_labels_in_another_unit_are_named(factor: float, said: str, tmp_path: Path) -> None:
    path = write_text(tmp_path / "labels.txt", TRUE_MM * factor)
    with pytest.raises(BadInput, match=said):
        read_ground_truth(path, "nyu")


def test_names_without_names_in_the_labels_are_refused(truth: GroundTruth, tmp_path: Path) -> None:
    bare = replace(truth, names=())
    path = write_text(tmp_path / "p.txt", NOISY_MM, names=NAMES)
    with pytest.raises(BadInput, match=r"found labels without names; put nyu_test_list\.txt beside the labels"):
        read_predictions(path, bare)


def test_odd_labels_are_not_blamed_on_the_predictions_alone(tmp_path: Path) -> None:
    labels = write_text(tmp_path / "labels.txt", TRUE_MM * np.array([1, -1, 1]))
    path = write_text(tmp_path / "p.txt", NOISY_MM)
    with pytest.raises(BadInput, match=r"or, if .*labels.txt is the odd one, --ground-truth-layout"):
        read_predictions(path, read_ground_truth(labels, "nyu"))


def test_depth_alone_in_metres_is_named(truth: GroundTruth, tmp_path: Path) -> None:
    path = write_text(tmp_path / "p.txt", NOISY_MM * np.array([1, 1, 0.001]))
    with pytest.raises(BadInput, match="x and y in millimetres and z in metres"):
        read_predictions(path, truth)
