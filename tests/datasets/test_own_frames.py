"""A person's own depth files: what is read, what is refused and with which words, and where the hand is found."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.conventions import DATASETS, NYU
from handbench.datasets.centres import Centre, find_centre
from handbench.datasets.importers import list_frames
from handbench.datasets.own_crops import camera_of_crop, read_own_crop
from handbench.datasets.own_depth import read_own_depth
from handbench.datasets.own_frames import (
    Intrinsics,
    fit_camera,
    list_own_files,
    name_frames,
    parse_intrinsics,
    read_own_frame,
    unlabelled_frame,
)
from handbench.datasets.own_hand import DEFAULT_REACH, Reach, crop_named_place, crop_own_hand
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points
from handbench.geometry.crop import crop_cube

OWN = Intrinsics(475.0, 475.0, 318.0, 242.0)
FRAME = "real/nyu/depth_1_0000001.png"
CROP = "real/nyu/deepmodel_crop_0.png"
LABELS = "real/nyu/joint_1_uvd_first_frame.csv"


def make_depth(corner: int = 1300) -> np.ndarray:
    """640x480, a hand's square of 120 mm at 600 mm before a wall at 1300 mm; the upper left pixel holds `corner`."""
    depth_mm = np.full((480, 640), 1300, np.uint16)
    depth_mm[200:295, 280:375] = 600
    depth_mm[0, 0] = corner
    return depth_mm


def save(path: Path, pixels: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        assert cv2.imwrite(str(path), pixels)
    return path


def pack_as_nyu(depth_mm: np.ndarray) -> np.ndarray:
    """OpenCV's order: blue, green, red."""
    return np.stack([depth_mm & 255, depth_mm >> 8, np.zeros_like(depth_mm)], axis=-1).astype(np.uint8)


def read_labels(shared: Path) -> np.ndarray:
    return back_project_points(np.loadtxt(shared / LABELS, delimiter=","), NYU.camera).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("grey.png", make_depth()),
        ("nyu.png", pack_as_nyu(make_depth())),
        ("short.npy", make_depth()),
        ("float.npy", make_depth().astype(np.float64)),
        ("fortran.npy", np.asfortranarray(make_depth().astype(np.float32))),
    ],
)
def test_every_packing_holds_the_same_millimetres(tmp_path, name, pixels):
    depth_mm = read_own_depth(save(tmp_path / name, pixels))
    np.testing.assert_array_equal(depth_mm, make_depth().astype(np.float32))
    assert depth_mm.dtype == np.float32


def test_codes_and_holes_are_not_measured(tmp_path):
    assert read_own_depth(save(tmp_path / "code.png", make_depth(32001)))[0, 0] == 0
    assert read_own_depth(save(tmp_path / "nyu.png", pack_as_nyu(make_depth(2001))))[0, 0] == 0
    depth_mm = make_depth().astype(np.float32)
    depth_mm[0, :3] = np.nan, np.inf, 40000
    assert read_own_depth(save(tmp_path / "nan.npy", depth_mm))[0, :3].tolist() == [0, 0, 0]


REFUSED = {
    "grey8.png": ((make_depth() // 8).astype(np.uint8), "found 8-bit grey PNG; record depth as 16-bit PNG"),
    "photo.png": (np.full((48, 64, 3), 90, np.uint8), "found values in red; a colour picture holds no depth"),
    "alpha.png": (np.full((48, 64, 4), 90, np.uint8), "found 8-bit colour and alpha PNG"),
    "colour16.png": (np.full((48, 64, 3), 900, np.uint16), "found 16-bit colour PNG"),
    "empty.png": (np.zeros((48, 64), np.uint16), "found an empty frame: nothing was measured in any pixel"),
    "metres.npy": (make_depth() / 1000, "found no value above 1.3; multiply by 1000 if these are metres"),
    "crop.npy": (np.linspace(-1, 1, 64 * 64).reshape(64, 64), "found values from -1 to 1; if it is a ready crop"),
    "negative.npy": (-make_depth().astype(np.float32), "found values from -1300 to -600; turn the z axis"),
    "nothing.npy": (np.full((48, 64), np.nan), "found an empty frame"),
    "byte.npy": (np.full((48, 64), 200, np.uint8), r"found an 8-bit array \(uint8\)"),
    "video.npy": (np.full((3, 48, 64), 700.0), r"found an array of shape \(3, 48, 64\); save each by itself"),
    "words.npy": (np.array(["a", "b"]), r"expected an array of numbers, found <U1 of shape \(2,\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_depth_says_why_in_one_line(tmp_path, name):
    pixels, words = REFUSED[name]
    with pytest.raises(BadInput, match=words) as refusal:
        read_own_depth(save(tmp_path / name, pixels))
    assert str(refusal.value).startswith(f"{tmp_path / name}: expected ")
    assert "\n" not in str(refusal.value)
    assert "download" not in str(refusal.value), "nobody can download a frame of their own again"


@pytest.mark.parametrize(
    ("name", "damage", "found"),
    [
        ("cut.png", lambda content: content[:200], "a file cut off after 200 bytes"),
        ("bit.png", lambda content: content[:-20] + b"\0" + content[-19:], "a wrong checksum"),
        ("text.png", lambda content: b"depth", "a file that is not a PNG"),
        ("none.png", lambda content: b"", "an empty file"),
        ("claim.png", lambda content: content[:16] + b"\0\xff\xff\xff" + content[20:], "16777215x480"),
        ("cut.npy", lambda content: content[:-9], "header claims|EOF"),
        ("text.npy", lambda content: b"depth", "EOF|magic"),
        ("none.npy", lambda content: b"", "EOF|magic"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, name, damage, found):
    path = save(tmp_path / name, make_depth())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=f"found .*({found})") as refusal:
        read_own_depth(path)
    assert "download" not in str(refusal.value)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(BadInput, match="expected an array of numbers"):
        read_own_depth(tmp_path / "objects.npy")


def test_a_dataset_lends_its_camera_and_its_size(tmp_path):
    frame = read_own_frame(save(tmp_path / "a.png", make_depth()), parse_intrinsics(["nyu"]))
    assert frame.camera == NYU.camera
    with pytest.raises(BadInput, match=r"a\.png: expected 320x240 pixels, as its camera has, found 640x480"):
        read_own_frame(tmp_path / "a.png", parse_intrinsics(["icvl"]))


def test_four_numbers_are_a_camera_of_the_images_size(tmp_path):
    frame = read_own_frame(save(tmp_path / "a.png", make_depth()), parse_intrinsics(["475", "474.5", "318", "242"]))
    assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == (475.0, 474.5, 318.0, 242.0)
    assert (frame.camera.width, frame.camera.height) == (640, 480)
    assert frame.joints_mm.shape == (0, 3)


@pytest.mark.parametrize(
    ("words", "found"),
    [(["kinect"], "kinect"), (["1", "2", "3"], "1 2 3"), ([], "nothing"), (["a", "1", "2", "3"], "a")],
)
def test_what_is_no_camera_names_those_there_are(words, found):
    with pytest.raises(BadInput, match=f"camera: expected --camera .*nyu, icvl.*FX FY CX CY.*found {found}"):
        parse_intrinsics(words)


@pytest.mark.parametrize("words", [["0", "475", "320", "240"], ["475", "-1", "320", "240"], ["nan", "1", "1", "1"]])
def test_a_camera_has_focal_lengths(words):
    with pytest.raises(BadInput, match="expected focal lengths above 0"):
        parse_intrinsics(words)


def test_pixels_are_nearly_square():
    with pytest.raises(BadInput, match="expected focal lengths of nearly square pixels, found 600 and 300"):
        parse_intrinsics(["600", "300", "240", "240"])
    assert parse_intrinsics(["580", "520", "320", "240"]).fx == 580.0


@pytest.mark.parametrize(
    ("shape", "intrinsics", "found"),
    [
        ((240, 320), OWN, "found 320x240 pixels; scale FX FY CX CY"),
        ((960, 1280), OWN, "found 1280x960 pixels; scale FX FY CX CY"),
        ((480, 640), replace(OWN, fx=0.9), "found 0.9 and 475; give FX FY CX CY in pixels"),
        ((480, 640), replace(OWN, fy=9000.0), "found 475 and 9000"),
    ],
)
def test_size_and_intrinsics_must_belong_together(shape, intrinsics, found):
    with pytest.raises(BadInput, match=found):
        fit_camera(intrinsics, Path("a.png"), np.full(shape, 600, np.float32))


def test_a_folder_is_its_frames_by_name(tmp_path):
    for name in ("b.png", "a.npy", "c.PNG", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_own_files([tmp_path])] == ["a.npy", "b.png", "c.PNG"]
    assert list_own_files([tmp_path / "c.PNG", tmp_path])[0].name == "c.PNG"


def write_nothing(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: [folder], "expected .png or .npy files, found an empty folder"),
        (lambda folder: [write_nothing(folder / "a.jpg")], "found a file that ends in '.jpg'; convert it"),
        (lambda folder: [folder / "nowhere"], "nowhere: expected .*found neither a file nor a folder of that name"),
        (lambda folder: [], "frames: .*found no path"),
    ],
)
def test_no_frames_are_an_error(tmp_path, make, words):
    with pytest.raises(BadInput, match=words):
        list_own_files(make(tmp_path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.png: expected a depth frame.*found no such file; name a \.png"):
        read_own_frame(tmp_path / "gone.png", OWN)


def test_every_frame_has_a_name_of_its_own():
    files = [Path("a/x.png"), Path("b/x.png"), Path("x-2.png"), Path("x.npy"), Path("y.png")]
    assert name_frames(files) == ("x", "x-2", "x-2-2", "x-3", "y")


def test_the_hand_is_the_nearest_square_by_hand(tmp_path):
    frame = read_own_frame(save(tmp_path / "a.png", make_depth()), OWN)
    crop = crop_own_hand(frame, replace(NYU, cube_mm={"": 200.0}), 64, DEFAULT_REACH)
    # The middle of columns 280 to 374 is 327, 9 px right of cx; of rows 200 to 294 it is 247, 5 px below cy.
    np.testing.assert_allclose(crop.centre_mm, [9 * 600 / 475, 5 * 600 / 475, 600], atol=1.5)
    assert crop.cube_mm == 200
    # The square's edge is 95 px of 158; inside it the depth is the centre's, around it nothing is in the cube.
    assert (crop.depth[20:44, 20:44] == 0).all()
    assert (crop.depth[:8] == 1).all()


@pytest.mark.parametrize("dataset", ["nyu", "icvl"])
def test_the_centre_is_com_without_labels(embedded_sets, dataset):
    convention = DATASETS[dataset]
    listing = list_frames(dataset, embedded_sets[dataset].out / "raw", "test")
    off_mm = []
    for frame in map(listing.frame, range(len(listing))):
        own = unlabelled_frame(Path(frame.name), frame.depth_mm, frame.camera)
        crop = crop_own_hand(own, convention, 64, Reach(1.0, 3000.0))
        com = find_centre(replace(frame, subject=own.subject), convention, "com")
        np.testing.assert_array_equal(crop.centre_mm, com.centre_mm)
        off_mm.append(
            np.linalg.norm(crop.centre_mm - frame.joints_mm[convention.joints.index(convention.centre_joint)])
        )
    # docs/crops.md: 24 mm over a thousand frames, but one or two hundred where a forearm lies along the image.
    assert np.median(off_mm) < 40


def test_the_real_frames_hand_is_found_before_the_body(shared):
    frame = read_own_frame(shared / FRAME, parse_intrinsics(["nyu"]))
    crop = crop_own_hand(frame, NYU, 128, DEFAULT_REACH)
    labels_mm = read_labels(shared)
    # 25.8 mm, nearly all of it depth: the mean of a surface, and a joint inside the flesh.
    assert np.linalg.norm(crop.centre_mm - labels_mm[NYU.joints.index("PALM_3")]) < 30
    assert np.abs((labels_mm - crop.centre_mm) / 150).max() < 1


def test_a_file_in_the_range_of_another_unit_finds_nothing(tmp_path):
    frame = read_own_frame(save(tmp_path / "tenths.png", make_depth() * 10), OWN)
    with pytest.raises(BadInput, match=r"tenths\.png: expected a hand 200 to 1500 mm before the camera, found depths"):
        crop_own_hand(frame, NYU, 64, DEFAULT_REACH)


def test_centimetres_are_told(tmp_path):
    depth_mm = make_depth()
    hand = depth_mm < depth_mm.max()
    centimetres = np.where(hand, 60, 205).astype(np.uint16)
    centimetres[:300] = 90
    frame = read_own_frame(save(tmp_path / "a.png", centimetres), OWN)
    with pytest.raises(BadInput, match="found half of it within 90 mm; convert the file if its unit is a centimetre"):
        crop_own_hand(frame, NYU, 64, DEFAULT_REACH)


def test_specks_are_no_hand(tmp_path):
    depth_mm = np.zeros((480, 640), np.uint16)
    depth_mm[100:110, 100:110] = 600
    frame = read_own_frame(save(tmp_path / "a.png", depth_mm), OWN)
    with pytest.raises(BadInput, match="found no surface there of 12 cm² or more; hold the hand nearer"):
        crop_own_hand(frame, NYU, 64, DEFAULT_REACH)


def test_a_wall_is_no_hand(tmp_path):
    frame = read_own_frame(save(tmp_path / "a.png", np.full((480, 640), 900, np.uint16)), OWN)
    with pytest.raises(BadInput, match="found a surface at 900 mm that covers 100% of a 300 mm cube, as a wall"):
        crop_own_hand(frame, NYU, 64, DEFAULT_REACH)


def test_reach_chooses_what_is_looked_at(tmp_path):
    depth_mm = make_depth()
    depth_mm[300:420, 100:220] = 300
    frame = read_own_frame(save(tmp_path / "a.png", depth_mm), OWN)
    convention = replace(NYU, cube_mm={"": 200.0})
    assert crop_own_hand(frame, convention, 64, DEFAULT_REACH).centre_mm[2] == pytest.approx(300)
    assert crop_own_hand(frame, convention, 64, Reach(near_mm=400.0)).centre_mm[2] == pytest.approx(600)
    with pytest.raises(BadInput, match="expected 0 < --near < --far in millimetres, found 700 to 600"):
        crop_own_hand(frame, convention, 64, Reach(700.0, 600.0))


def test_a_ready_crop_comes_through_unchanged(tmp_path):
    cube = Centre(np.float32([40, -30, 700]), 250.0)
    depth_mm = make_depth().astype(np.float32)
    depth_mm[215:255, 335:375] = np.linspace(560, 640, 40, dtype=np.float32)
    patch, _ = crop_cube(depth_mm, cube.centre_mm, cube.cube_mm, fit_camera(OWN, Path("a"), depth_mm), size_px=64)
    assert (patch < 1).any()
    for name, pixels in (("a.npy", patch), ("one.npy", patch[None]), ("half.npy", patch.astype(np.float16))):
        frame = read_own_crop(save(tmp_path / name, pixels), cube, 64)
        crop = crop_named_place(frame, NYU, 64, cube)
        np.testing.assert_allclose(crop.depth, pixels.reshape(64, 64).astype(np.float32), atol=1e-6)
        np.testing.assert_array_equal(crop.patch_from_image, np.eye(3))
        assert crop.cube_mm == 250


def test_the_camera_of_a_crop_sees_what_the_cube_holds():
    cube = Centre(np.float32([40, -30, 700]), 250.0)
    camera = camera_of_crop(cube, 64)
    # A point on the front of the cube's middle plane, at its right and lower edge, lies on the crop's own edge.
    edge_mm = np.array([40 + 125, -30 + 125, 700.0])
    u = camera.fx * edge_mm[0] / edge_mm[2] + camera.cx
    v = camera.fy * edge_mm[1] / edge_mm[2] + camera.cy
    np.testing.assert_allclose([u, v], [64, 64], atol=1e-4)


def test_deepmodels_published_crop_is_read(shared):
    cube = Centre(read_labels(shared)[NYU.joints.index("PALM_5")], 300.0)
    frame = read_own_crop(shared / CROP, cube, 128)
    published = cv2.imread(str(shared / CROP), cv2.IMREAD_GRAYSCALE) / 255 * 2 - 1
    np.testing.assert_allclose(crop_named_place(frame, NYU, 128, cube).depth, published, atol=1e-6)


def test_deepmodels_published_crop_is_no_frame(shared):
    with pytest.raises(BadInput, match=r"if it is a ready crop .* give its place with --centre X Y Z and --cube MM"):
        read_own_frame(shared / CROP, parse_intrinsics(["nyu"]))


GREY = np.tile(np.arange(64, dtype=np.uint8), (64, 1))


@pytest.mark.parametrize(
    ("name", "pixels", "words"),
    [
        ("large.png", np.tile(GREY, (2, 2)), "expected 64x64 pixels, as the model takes, found 128x128"),
        ("wide.png", GREY[:32], "expected 64x64 pixels, as the model takes, found 64x32"),
        ("empty.png", np.full((64, 64), 255, np.uint8), "found an empty crop: every pixel is background"),
        ("frame.png", GREY.astype(np.uint16) * 9, "found a 16-bit picture; leave out --centre and --cube"),
        ("photo.png", np.stack([GREY, GREY, GREY.T], axis=-1), "found a coloured picture"),
        ("frame.npy", np.full((64, 64), 700.0), "values from 700 to 700; leave out --centre and --cube"),
        ("two.npy", np.zeros((2, 64, 64)), r"found shape \(2, 64, 64\)"),
        ("nan.npy", np.full((64, 64), np.nan), "values from nan to nan"),
    ],
)
def test_what_is_no_ready_crop_says_why(tmp_path, name, pixels, words):
    with pytest.raises(BadInput, match=words):
        read_own_crop(save(tmp_path / name, pixels), Centre(np.float32([0, 0, 500]), 200.0), 64)


def test_a_damaged_crop_is_refused(tmp_path):
    cube = Centre(np.float32([0, 0, 500]), 200.0)
    for content in (b"", b"no picture"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(BadInput, match=r"expected a ready crop.*found no whole picture"):
            read_own_crop(tmp_path / "a.png", cube, 64)
    with pytest.raises(BadInput, match="found no such file"):
        read_own_crop(tmp_path / "gone.png", cube, 64)


@pytest.mark.parametrize(
    ("centre_mm", "cube_mm", "words"),
    [
        ([0, 0, 0.5], 0.3, "cube: expected an edge of 50 to 1000 mm, found 0.3"),
        ([0, 0, 0.5], 300.0, "centre: expected a cube of 300 mm wholly before the camera"),
        ([0, 0, np.nan], 300.0, "centre: expected"),
        ([0, 0, 20_000], 300.0, "centre: expected"),
        ([0, 0, -700], 300.0, "x right, y down, z away from the camera"),
    ],
)
def test_the_place_of_a_ready_crop_is_looked_at(tmp_path, centre_mm, cube_mm, words):
    path = save(tmp_path / "a.png", GREY)
    with pytest.raises(BadInput, match=re.escape(words)):
        read_own_crop(path, Centre(np.float32(centre_mm), cube_mm), 64)
