"""The command line: quick, one line for bad input, and every subcommand hands its words on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handbench import __version__
from handbench.argument_words import LEAST_PX, MOST_PX
from handbench.cli import main
from handbench.config import schema
from handbench.errors import BadInput
from tests.stand_in import Recorder, stand_in

SUBCOMMANDS = ("synthesize", "download", "doctor", "render", "crop", "show")


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(f"    {word}" in said for word in SUBCOMMANDS)
    assert "HANDBENCH_TRACEBACK=1" in said


@pytest.mark.parametrize("word", SUBCOMMANDS)
def test_every_subcommand_explains_itself(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([word, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: handbench {word} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"handbench {__version__}\n"


def test_help_takes_a_third_of_a_second_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from handbench.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'scipy', 'yaml'} & set(sys.modules)))"
    )
    best_s, said = 9.0, ""
    for _ in range(3):
        start = time.perf_counter()
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        best_s = min(best_s, time.perf_counter() - start)
    assert said.splitlines()[-1] == "[]"
    assert best_s < 0.3


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "handbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"handbench {__version__}\n"


def test_synthesize_hands_its_words_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch, "handbench.datasets.synthesize", "synthesize", Recorder())
    words = ["synthesize", "nyu", "--out", "here", "--frames", "train=3", "test=1", "--seed", "7", "--jobs", "2"]
    assert main(words) == 0
    assert made.calls == [
        (
            ("nyu", Path("here")),
            {"frames": {"train": 3, "test": 1}, "stride": {}, "seed": 7, "jobs": 2, "renderer": "auto"},
        )
    ]


def test_download_hands_its_words_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    got = stand_in(monkeypatch, "handbench.datasets.download", "download", Recorder(answer=Path("there/raw")))
    assert main(["download", "published", "--to", "there", "--mirror", "file:///a", "http://b"]) == 0
    assert main(["download", "icvl", "--mirror"]) == 0
    assert got.calls == [
        (("published", Path("there")), {"mirrors": ["file:///a", "http://b"]}),
        (("icvl", Path("results/download/icvl")), {"mirrors": []}),
    ]
    assert capsys.readouterr().out == "there/raw\nthere/raw\n"


@pytest.mark.parametrize(
    "words",
    [
        ["synthesize", "nyu", "--out", "x", "--frames", "train"],
        ["synthesize", "nyu", "--out", "x", "--frames", "train=none"],
        ["synthesize", "nyu", "--out", "x", "--frames", "train=0"],
        ["synthesize", "nyuu", "--out", "x", "--frames", "train=1"],
        ["crop", "nyu", "--root", "x", "--split", "test", "--centre", "com", "--out", "y", "--size", "-1"],
        ["crop", "nyu", "--root", "x", "--split", "test", "--centre", "com", "--out", "y", "--size", "99999999"],
        ["crop", "nyu", "--root", "x", "--split", "test", "--centre", "com", "--out", "y", "--size", "15"],
        ["crop", "nyu", "--root", "x", "--split", "test", "--centre", "com", "--out", "y", "--allow-skips", "-1"],
        ["synthesize", "nyu", "--out", "x", "--frames", "train=1", "--seed", "-1"],
        ["show", "nyu", "--frames", "many"],
        ["dance"],
        [],
    ],
)
def test_words_that_make_no_sense_are_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_bad_input_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = BadInput("a.png", expected="a PNG", found="a web page", fix="fetch it again")
    stand_in(monkeypatch, "handbench.datasets.doctor", "examine", Recorder(error=error))
    assert main(["doctor", "folder"]) == 1
    assert capsys.readouterr().err == "handbench: a.png: expected a PNG, found a web page; fetch it again\n"


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "handbench.datasets.doctor", "examine", Recorder(error=KeyboardInterrupt()))
    assert main(["doctor", "folder"]) == 130


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "handbench.datasets.doctor", "examine", Recorder(error=ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["doctor", "folder"])


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    done = subprocess.run(
        f"{sys.executable} -m handbench --help | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr


def test_show_without_data_says_how_to_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", "nyu"]) == 1
    assert "run make demo or give --root" in capsys.readouterr().err


class Verdict:
    """Stands in for a diagnosis."""

    def __init__(self, usable: bool) -> None:
        self.usable = usable

    def __str__(self) -> str:
        return "a dataset"

    def as_dict(self) -> dict[str, object]:
        return {"usable": self.usable}


def test_doctor_prints_its_verdict_and_its_status_says_whether_the_folder_is_usable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = stand_in(monkeypatch, "handbench.datasets.doctor", "examine", Recorder(answer=Verdict(True)))
    assert main(["doctor", "folder"]) == 0
    asked.answer = Verdict(False)
    assert main(["doctor", "folder", "--deep", "--json"]) == 1
    assert asked.calls == [((Path("folder"),), {"deep": False}), ((Path("folder"),), {"deep": True})]
    said = capsys.readouterr().out
    assert said.startswith("a dataset\n")
    assert json.loads(said.removeprefix("a dataset\n")) == {"usable": False}


def test_localized_crops_have_a_function_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the digest of other crops knows no network."""
    listed = stand_in(monkeypatch, "handbench.datasets.importers", "list_frames", Recorder(answer="frames"))
    made = stand_in(monkeypatch, "handbench.training.localize", "crop_localized", Recorder())
    words = ["crop", "nyu", "--root", "raw", "--split", "test", "--centre", "localized", "--out", "there"]
    assert main([*words, "--localizer", "loc", "--store", "com", "--size", "64", "--jobs", "2"]) == 0
    assert listed.calls == [(("nyu", Path("raw"), "test"), {})]
    told = {"size_px": 64, "out": Path("there"), "allow_skips": 0, "jobs": 2}
    assert made.calls == [(("frames", Path("loc"), Path("com")), told)]


def test_crop_of_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "crop",
        "icvl",
        "--root",
        str(tmp_path),
        "--split",
        "test",
        "--centre",
        "com",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("handbench: ")
    assert said.count("\n") == 1


def test_crop_of_a_split_that_the_dataset_lacks_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "crop",
        "msra",
        "--root",
        str(tmp_path),
        "--split",
        "train",
        "--centre",
        "com",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_synthesize_refuses_a_split_that_the_dataset_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synthesize", "msra", "--out", str(tmp_path / "o"), "--frames", "train=2"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "o" / "manifest.json").exists()


def test_patches_have_the_same_bounds_as_in_the_configuration() -> None:
    bounds = schema()["$defs"]["Crop"]["properties"]["size_px"]
    assert (bounds["minimum"], bounds["maximum"]) == (LEAST_PX, MOST_PX)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "/a/b"), "/a/b: No space left on device"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("cut off\nin the middle"), "cut off in the middle"),
        (MemoryError(), "not enough memory; ask for less at once"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_machine_that_refuses_is_one_line_and_status_1(
    error: BaseException, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "handbench.datasets.doctor", "examine", Recorder(error=error))
    assert main(["doctor", "folder"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"handbench: {line}")
    assert said.count("\n") == 1
    monkeypatch.setenv("HANDBENCH_TRACEBACK", "1")
    assert main(["doctor", "folder"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert said.splitlines()[-1].startswith(f"handbench: {line}")


PIPED = """
import sys
from types import ModuleType
from handbench.cli import main
fake = ModuleType("work")
def work(*_, **__):
    for line in range(9):
        print("line", line, flush=True)
    raise SystemExit("finished")
fake.download = fake.examine = work
sys.modules["handbench.datasets.download"] = sys.modules["handbench.datasets.doctor"] = fake
sys.exit(main([sys.argv[1], sys.argv[2]]))
"""


STOPPED = "handbench: stopped, nobody reads its output; the same command goes on from here\n"


@pytest.mark.parametrize(
    ("words", "status", "said"), [(["download", "nyu"], 141, STOPPED), (["doctor", "here"], 0, "")]
)
def test_work_cut_short_by_a_closed_pipe_is_no_success(words: list[str], status: int, said: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", PIPED, *words], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (status, said)


def test_a_full_device_for_the_output_is_one_line() -> None:
    code = "import sys\nfrom handbench import cli\ncli.run_doctor = lambda options: print('all well')\n"
    code += "sys.exit(cli.main(['doctor', 'here']))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "handbench: No space left on device\n")


def test_a_name_that_is_no_utf8_can_be_printed() -> None:
    code = "import sys\nfrom handbench import cli\ncli.run_doctor = lambda options: print('a\\udce4.png')\n"
    code += "sys.exit(cli.main(['doctor', 'here']))"
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "a\\udce4.png\n")


def test_a_closed_standard_output_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m handbench doctor {tmp_path} >&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, "an empty folder is not usable"
