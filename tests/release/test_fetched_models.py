"""What a fetch leaves in the cache when it is cut, killed, or given something else than was promised."""

from pathlib import Path

import pytest

from handbench.cli import main
from handbench.datasets.download import Patience
from handbench.datasets.fetch import Expected
from handbench.errors import BadInput
from handbench.release.fetch_models import MOST_BYTES, fetch_models
from handbench.release.manifest import FILES, read_manifest
from handbench.release.verify import verify_models
from handbench.training import handed_on
from tests.datasets.loopback import Loopback
from tests.release.commands import refuse, rewrite, say, serve_models
from tests.release.models_packed import Packed

QUICK = Patience(attempts=2, wait_s=0.01, timeout_s=5.0)


def test_a_cut_line_is_gone_on_with(packed: Packed, fresh: Path) -> None:
    with Loopback() as server:
        serve_models(server, packed.models)
        path, content = "r/loop-icvl/model.safetensors", (packed.models / "loop-icvl/model.safetensors").read_bytes()
        server.serve(path, content, "cut:5000")
        assert fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK) == (1, 0)
        assert [wanted for name, wanted in server.requests if name == path] == ["", "bytes=5000-"]
        assert fetch_models(f"{server.address}/r/manifest.json", fresh, ["loop-icvl"], patience=QUICK) == (0, 1)
    assert verify_models(fresh)[0].fault is None
    assert [path.name for path in fresh.iterdir() if path.name.startswith(".")] == []


def test_a_file_that_is_another_never_arrives(packed: Packed, fresh: Path) -> None:
    with Loopback() as server:
        serve_models(server, packed.models)
        path = "r/loop-icvl/model.safetensors"
        server.serve(path, (packed.models / "loop-icvl/model.safetensors").read_bytes(), "wrong")
        with pytest.raises(BadInput, match=r"expected sha256 .*, found sha256 .*; the file was set aside"):
            fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK)
        assert handed_on.find_handed_on("loop-icvl") is None
        assert fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK) == (1, 0)
        with pytest.raises(BadInput, match="HTTP 404"):
            fetch_models(f"{server.address}/elsewhere", fresh, patience=QUICK)


def spoil(models: Path, name: str) -> None:
    path = models / name / "card.md"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_one_broken_model_keeps_no_other_back(fresh: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named; what came is listed."""
    spoil(copy, "localizer-icvl")
    assert main(["models", "fetch", "--from", str(copy)]) == 1
    told = capsys.readouterr()
    named, last = told.err.splitlines()
    assert named.startswith("localizer-icvl: not fetched: ")
    assert "card.md: expected sha256 " in named
    assert f"found 1 that cannot be had, named above; the others are in {fresh}: 2 fetched" in last
    assert [line.partition(":")[0] for line in told.out.splitlines()] == ["loop-icvl", "predictor-icvl"]
    assert [one.folder.name for one in verify_models(fresh) if not one.fault] == ["loop-icvl", "predictor-icvl"]
    assert sorted(read_manifest(fresh / "manifest.json")) == ["loop-icvl", "predictor-icvl"]
    assert not (fresh / "localizer-icvl").exists()


class Falling(Patience):
    """As if the program were interrupted at the loop."""

    def fetch(self, address: str, place: Path, expected: Expected) -> None:
        if "loop-icvl" in address:
            raise KeyboardInterrupt
        super().fetch(address, place, expected)


def test_a_model_is_listed_as_soon_as_it_is_there(packed: Packed, fresh: Path) -> None:
    """A kill while the next one comes."""
    with pytest.raises(KeyboardInterrupt):
        fetch_models(str(packed.models), fresh, patience=Falling())
    assert sorted(read_manifest(fresh / "manifest.json")) == ["localizer-icvl"]
    assert [one.fault for one in verify_models(fresh)] == [None]


def test_a_model_without_a_list_is_shown_and_listed_again(
    packed: Packed, fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a kill between the model and its list leaves it: nothing may hide another unseen."""
    monkeypatch.setattr(handed_on, "REPOSITORY", packed.models)
    say(capsys, "models", "fetch", "loop-icvl")
    (fresh / "manifest.json").unlink()
    listed = [line.split()[0] for line in say(capsys, "models", "list").splitlines()[1:]]
    assert listed == ["loop-icvl", "localizer-icvl", "(loop-icvl)", "predictor-icvl"]
    assert main(["models", "verify", "loop-icvl"]) == 1
    ours, theirs = capsys.readouterr().out.splitlines()
    assert ours.startswith(f"{fresh / 'loop-icvl'}: broken: ")
    assert "found one that is not listed there; fetch it again with `handbench models fetch`" in ours
    assert theirs.startswith(f"{packed.models / 'loop-icvl'}: sound")
    assert say(capsys, "models", "fetch", "loop-icvl").startswith("0 fetched, 1 there already")
    assert say(capsys, "models", "verify", "loop-icvl").count(": sound") == 2


def test_a_damaged_card_beside_it_keeps_no_model_off_the_list(packed: Packed, fresh: Path) -> None:
    """It stays listed, so that verifying says what is wrong with it."""
    fetch_models(str(packed.models), fresh, ["localizer-icvl"])
    (fresh / "localizer-icvl" / "card.json").write_text("{")
    fetch_models(str(packed.models), fresh, ["loop-icvl"])
    assert sorted(read_manifest(fresh / "manifest.json")) == ["localizer-icvl", "loop-icvl"]
    assert [one.fault is None for one in verify_models(fresh)] == [False, True]


def test_no_more_is_taken_than_was_promised(packed: Packed, fresh: Path) -> None:
    """Of an answer that does not say how long it is; nor does what was refused become part of the model."""
    path = "r/loop-icvl/model.safetensors"
    content = (packed.models / "loop-icvl/model.safetensors").read_bytes()
    with Loopback() as server:
        serve_models(server, packed.models)
        server.serve(path, content + bytes(3_000_000), "chunked")
        with pytest.raises(BadInput, match=rf"expected at most {len(content):,} bytes, found more"):
            fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK)
        left = [one for one in (fresh / ".loop-icvl.partial").iterdir() if one.name.startswith("model.")]
        assert left == []
        server.serve(path, content[:-1] + bytes([content[-1] ^ 1]), "chunked")
        with pytest.raises(BadInput, match="the file was set aside as"):
            fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK)
        assert (fresh / ".loop-icvl.partial" / "model.safetensors.bad").is_file()
        server.serve(path, content)
        assert fetch_models(f"{server.address}/r", fresh, ["loop-icvl"], patience=QUICK) == (1, 0)
    assert {one.name for one in (fresh / "loop-icvl").iterdir()} == set(FILES)


def test_what_is_no_part_of_a_model_is_refused_and_goes(
    packed: Packed, fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_models(str(packed.models), fresh, ["loop-icvl"])
    (fresh / "loop-icvl" / "model.safetensors.bad").write_bytes(b"x")
    assert main(["models", "verify", "loop-icvl"]) == 1
    assert "frame.npy alone, found model.safetensors.bad; delete " in capsys.readouterr().out
    assert fetch_models(str(packed.models), fresh, ["loop-icvl"]) == (1, 0)
    assert verify_models(fresh)[0].fault is None


@pytest.mark.parametrize("script", ["", "chunked"])
def test_a_list_without_end_is_not_taken(fresh: Path, script: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether its server says how long it is or not."""
    with Loopback() as server:
        address = server.serve("r/manifest.json", b" " * (MOST_BYTES + 1_000_000), *filter(None, [script]))
        told = refuse(capsys, "models", "list", "--from", f"{server.address}/r")
    assert f"{address}: expected at most {MOST_BYTES:,} bytes, found " in told


def test_a_damaged_list_is_named_by_its_address(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(copy / "manifest.json", models=[])
    told = refuse(capsys, "models", "list", "--from", copy)
    assert told.startswith(f"handbench: {copy}/manifest.json: expected a manifest as packing wrote it, found no models")
