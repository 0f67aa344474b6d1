"""Which renderer one gets, and what a machine without OpenGL says."""

import os
import subprocess
import sys

import pytest

from handbench.errors import BadInput
from handbench.rendering import opengl, renderer, zbuffer


def test_auto_and_software_are_the_software_renderer() -> None:
    assert renderer.choose_renderer("auto") is zbuffer.render_layers
    assert renderer.choose_renderer("software") is zbuffer.render_layers


def test_unknown_name_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match=r"expected auto or software or opengl, found 'opengll'"):
        renderer.choose_renderer("opengll")


def test_without_libraries_one_line_says_so_and_software_carries_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    monkeypatch.setattr(opengl, "_LIBRARIES", {"egl": ("libNoSuchThing.so",)})
    monkeypatch.setattr(opengl, "_open_renderer", opengl._open_renderer.__wrapped__)
    monkeypatch.setattr(opengl, "measure_sample_offset_px", opengl.measure_sample_offset_px.__wrapped__)
    assert renderer.settle_renderer("opengl") == "software"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "software renderer carries on" in lines[0]
    assert "apt-get install" in lines[0]


def test_broken_driver_in_a_fresh_process_says_one_line() -> None:
    code = (
        "from handbench.rendering import renderer, zbuffer\n"
        "assert renderer.choose_renderer('opengl') is zbuffer.render_layers\n"
    )
    environment = {**os.environ, "PYOPENGL_PLATFORM": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "nonsense gives no context" in done.stderr


def test_opengl_is_given_where_it_works() -> None:
    try:
        opengl.measure_sample_offset_px()
    except opengl.OpenGLMissingError as reason:
        pytest.skip(f"no OpenGL on this machine: {reason}")
    assert renderer.choose_renderer("opengl") is opengl.render_layers
