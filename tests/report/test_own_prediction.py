"""From a file to joints: a model that knows the answer must give it back in millimetres and pixels of that file."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch

from handbench.conventions import DATASETS, NYU
from handbench.datasets.centres import Centre
from handbench.datasets.own_frames import Intrinsics, parse_intrinsics
from handbench.datasets.own_hand import Reach
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points
from handbench.report.own_hand_model import HandModel
from handbench.report.own_prediction import predict_frames

CAMERA = Intrinsics(240.0, 240.0, 160.0, 120.0)
NYU_FRAME, NYU_LABELS = "real/nyu/depth_1_0000001.png", "real/nyu/joint_1_uvd_first_frame.csv"


def make_model(steps: int = 3, dataset: str = "icvl", **changes) -> HandModel:
    """Every joint k tenths of half a cube right of the centre after step k."""
    joints = len(DATASETS[dataset].scored)

    def iterate(depth: torch.Tensor) -> torch.Tensor:
        answer = torch.zeros(steps, len(depth), joints, 3)
        answer[..., 0] = torch.arange(steps)[:, None, None] / 10
        return answer

    settings = {"name": "tenths", "dataset": dataset, "size_px": 64, "cube_mm": 200.0, "iterate": iterate}
    return HandModel(**{**settings, **changes})


def save_hand(path, left: int = 130, depth: int = 480):
    """A square of 60 px before a wall; its middle is (left + 29.5, 119.5)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    depth_mm = np.full((240, 320), 1200, np.uint16)
    depth_mm[90:150, left : left + 60] = depth
    assert cv2.imwrite(str(path), depth_mm)
    return path


def read_rows(out) -> list[dict[str, str]]:
    with (out / "joints.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_joints_by_hand(tmp_path):
    told = predict_frames([save_hand(tmp_path / "a.png")], make_model(), CAMERA, tmp_path / "out")
    assert told == f"tenths: 1 frame, 2 iterations, in {tmp_path / 'out'}"
    rows = read_rows(tmp_path / "out")
    assert len(rows) == 3 * 16
    assert list(rows[0]) == ["frame", "iteration", "final", "joint", "x_mm", "y_mm", "z_mm", "u_px", "v_px"]
    assert [row["joint"] for row in rows[:16]] == list(DATASETS["icvl"].joints.names)
    assert [(row["iteration"], row["final"]) for row in rows[::16]] == [("0", "0"), ("1", "0"), ("2", "1")]
    # Middle of the square at (159.5, 119.5) and 480 mm: -1 mm, -1 mm. Two tenths of 100 mm right are 20 mm, 10 px.
    last = {key: float(rows[-1][key]) for key in ("x_mm", "y_mm", "z_mm", "u_px", "v_px")}
    assert last == pytest.approx({"x_mm": 19, "y_mm": -1, "z_mm": 480, "u_px": 169.5, "v_px": 119.5}, abs=0.05)


def test_json_holds_the_same_and_says_what_it_is(tmp_path):
    predict_frames([save_hand(tmp_path / "a.png")], make_model(), CAMERA, tmp_path)
    content = json.loads((tmp_path / "joints.json").read_text())
    assert (content["format"], content["version"], content["model"]) == ("handbench joints", 1, "tenths")
    assert content["units"]["xyz"] == "mm"
    assert "y down" in content["axes"]["xyz"]
    [frame] = content["frames"]
    assert frame["camera"] == {"fx": 240, "fy": 240, "cx": 160, "cy": 120, "width": 320, "height": 240}
    assert frame["cube"]["edge"] == 200
    assert frame["cube"]["centre"] == pytest.approx([-1, -1, 480], abs=0.05)
    assert [step["final"] for step in frame["iterations"]] == [False, False, True]
    rows = read_rows(tmp_path)
    for step, iteration in enumerate(frame["iterations"]):
        for place, (name, joint) in enumerate(iteration["joints"].items()):
            row = rows[16 * step + place]
            assert row["joint"] == name
            assert joint["xyz"] == [float(row[key]) for key in ("x_mm", "y_mm", "z_mm")]
            assert joint["uv"] == [float(row[key]) for key in ("u_px", "v_px")]


def test_a_folder_is_predicted_in_one_go(tmp_path):
    for number, left in enumerate((200, 60, 130)):
        save_hand(tmp_path / "frames" / f"f{number}.png", left)
    seen = []

    def iterate(depth: torch.Tensor) -> torch.Tensor:
        seen.append(depth)
        return torch.zeros(1, len(depth), 16, 3)

    model = make_model(iterate=iterate)
    predict_frames([tmp_path / "frames"], model, CAMERA, tmp_path / "out", pictures=False)
    [depth] = seen
    assert depth.shape == (3, 1, 64, 64)
    assert depth.dtype == torch.float32
    assert depth.min() == 0
    assert depth.max() == 1
    rows = read_rows(tmp_path / "out")
    assert [row["frame"] for row in rows[::16]] == ["f0", "f1", "f2"]
    # 229.5, 89.5 and 159.5 px, at 2 mm a pixel from 160.
    assert [float(row["x_mm"]) for row in rows[::16]] == pytest.approx([139, -141, -1], abs=0.05)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["joints.csv", "joints.json"]


def test_pictures_lie_beside_the_joints(tmp_path):
    predict_frames([save_hand(tmp_path / "a.png")], make_model(2), CAMERA, tmp_path / "out")
    names = ["a-iteration0.png", "a-iteration1.png", "a-iterations.png", "joints.csv", "joints.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_bad_files_are_named_and_the_others_written(tmp_path, capsys):
    """The frames keep the names that they have among all: the second a is a-2, whether the first can be used or not."""
    empty = np.zeros((240, 320), np.uint16)
    save_hand(tmp_path / "frames/b.png")
    save_hand(tmp_path / "frames/d.png", left=60)
    save_hand(tmp_path / "more/a.png", left=200)
    for name in ("a", "c"):
        assert cv2.imwrite(str(tmp_path / f"frames/{name}.png"), empty)
    with pytest.raises(BadInput) as refused:
        predict_frames([tmp_path / "frames", tmp_path / "more"], make_model(), CAMERA, tmp_path / "out")
    assert str(refused.value) == (
        "predict: expected a hand in each of 5 files, found 2 without, named above; the others are written: "
        f"tenths: 3 frames, 2 iterations, in {tmp_path / 'out'}"
    )
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"left out: {tmp_path / 'frames/a.png'}: expected")
    assert "found an empty frame" in first
    assert second.startswith(f"left out: {tmp_path / 'frames/c.png'}: expected")
    rows = read_rows(tmp_path / "out")[32::48]
    assert [row["frame"] for row in rows] == ["b", "d", "a-2"]
    # Two tenths of 100 mm right of squares whose middles lie at -1, -141 and 139 mm.
    assert [float(row["x_mm"]) for row in rows] == pytest.approx([19, -121, 159], abs=0.05)
    content = json.loads((tmp_path / "out/joints.json").read_text())
    assert len(content["frames"]) == 3
    names = {path.name.partition("-iteration")[0] for path in (tmp_path / "out").glob("*.png")}
    assert names == {"b", "d", "a-2"}


def test_of_bad_files_alone_nothing_is_written(tmp_path, capsys):
    for name in "ab":
        (tmp_path / "frames").mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / f"frames/{name}.png"), np.zeros((240, 320), np.uint16))
    with pytest.raises(BadInput, match=r"expected a hand in each of 2 files, found none in any; .*nothing is written"):
        predict_frames([tmp_path / "frames"], make_model(), CAMERA, tmp_path / "out")
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match=r"b\.png: .*found an empty frame"):
        predict_frames([tmp_path / "frames/b.png"], make_model(), CAMERA, tmp_path / "out")


def test_no_hand_in_reach(tmp_path):
    with pytest.raises(BadInput, match=r"a\.png: expected a hand 100 to 400 mm before the camera, found depths of 480"):
        predict_frames(
            [save_hand(tmp_path / "a.png")], make_model(), CAMERA, tmp_path / "out", reach=Reach(100.0, 400.0)
        )


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (torch.zeros(1, 1, 14, 3), r"shape \(1, 1, 14, 3\)"),
        (torch.full((1, 1, 16, 3), float("nan")), "48 of the numbers NaN"),
    ],
)
def test_a_model_of_something_else_is_named(tmp_path, answer, found):
    model = make_model(iterate=lambda depth: answer)
    with pytest.raises(BadInput, match=f"tenths: expected finite joints .*found .*{found}"):
        predict_frames([save_hand(tmp_path / "a.png")], model, CAMERA, tmp_path / "out")


def test_a_joint_behind_the_camera_has_no_pixel(tmp_path):
    def iterate(depth):
        answer = torch.zeros(1, 1, 16, 3)
        answer[..., 3, 2] = -6
        return answer

    predict_frames([save_hand(tmp_path / "a.png")], make_model(iterate=iterate), CAMERA, tmp_path / "out")
    row = read_rows(tmp_path / "out")[3]
    assert float(row["z_mm"]) == pytest.approx(-120, abs=0.05)
    assert (row["u_px"], row["v_px"]) == ("", "")
    content = json.loads((tmp_path / "out/joints.json").read_text())
    assert content["frames"][0]["iterations"][0]["joints"][row["joint"]]["uv"] is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="expected a folder that can be written, found File exists"):
        predict_frames([save_hand(tmp_path / "a.png")], make_model(), CAMERA, tmp_path / "file")


def test_a_ready_crop_needs_no_camera(tmp_path):
    patch = np.full((64, 64), 255, np.uint8)
    patch[16:48, 16:48] = 127
    assert cv2.imwrite(str(tmp_path / "crop.png"), patch)
    cube = Centre(np.float32([30, -20, 600]), 250.0)
    predict_frames([tmp_path / "crop.png"], make_model(2), cube, tmp_path / "out")
    rows = read_rows(tmp_path / "out")
    # The cube's centre is the middle of the file; a tenth of 125 mm right is a twentieth of its 64 pixels.
    first, last = ({key: float(row[key]) for key in ("x_mm", "y_mm", "z_mm", "u_px", "v_px")} for row in rows[::16])
    assert first == pytest.approx({"x_mm": 30, "y_mm": -20, "z_mm": 600, "u_px": 32, "v_px": 32}, abs=0.01)
    assert last == pytest.approx({"x_mm": 42.5, "y_mm": -20, "z_mm": 600, "u_px": 35.2, "v_px": 32}, abs=0.01)


@pytest.mark.parametrize(("centre", "joint"), [("joint", "palm"), ("joint-thumb_tip", "thumb_tip"), ("com", "")])
def test_a_model_that_knows_cubes_around_a_label_says_so(centre, joint, tmp_path, capsys):
    frames, model = [save_hand(tmp_path / "in" / name) for name in ("a.png", "b.png")], make_model(centre=centre)
    predict_frames(frames, model, CAMERA, tmp_path / "out", pictures=False)
    lines = capsys.readouterr().err.splitlines()
    said = f"tenths: has learned in cubes around the labelled {joint}, which no camera gives"
    assert [line.split(";")[0] for line in lines] == ([said] if joint else [])
    model.warn(Centre(np.float32([30, -20, 600]), 250.0))
    assert capsys.readouterr().err == "", "whoever places the cube may place it there"


def test_the_real_frame_from_file_to_joints(shared, tmp_path):
    """A model that answers with the labels: what comes out lies on the pixels that the labels were made in."""
    uvd = np.loadtxt(shared / NYU_LABELS, delimiter=",")[list(NYU.scored)]
    labels_mm = torch.tensor(back_project_points(uvd, NYU.camera), dtype=torch.float32)
    camera = parse_intrinsics(["nyu"])
    model = make_model(1, dataset="nyu", size_px=128, cube_mm=300.0)
    predict_frames([shared / NYU_FRAME], model, camera, tmp_path / "centre", pictures=False)
    row = read_rows(tmp_path / "centre")[0]
    centre_mm = torch.tensor([float(row[key]) for key in ("x_mm", "y_mm", "z_mm")])
    assert float((centre_mm - labels_mm[13]).norm()) < 30

    told = make_model(
        dataset="nyu", size_px=128, cube_mm=300.0, iterate=lambda depth: ((labels_mm - centre_mm) / 150)[None, None]
    )
    predict_frames([shared / NYU_FRAME], told, camera, tmp_path / "labels")
    rows = read_rows(tmp_path / "labels")
    assert [row["joint"] for row in rows] == list(scored_skeleton("nyu").names)
    pixels = np.array([[float(row["u_px"]), float(row["v_px"])] for row in rows])
    np.testing.assert_allclose(pixels, uvd[:, :2], atol=0.02)
    assert (tmp_path / "labels/depth_1_0000001-iteration0.png").stat().st_size > 10_000
