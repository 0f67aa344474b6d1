"""Readers of archives and downloads, of settings and words of a command line, and the doctor."""

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml

from handbench.arguments import build_parser
from handbench.config import load_config
from handbench.datasets.archives import unpack
from handbench.datasets.doctor import examine
from handbench.datasets.download import Patience, download
from handbench.datasets.fetch import Expected, fetch
from handbench.datasets.files import digest_file
from handbench.datasets.importers import list_frames
from handbench.datasets.own_frames import parse_intrinsics
from handbench.datasets.own_object import parse_object
from handbench.errors import BadInput
from handbench.modules import parse_settings
from handbench.training.lightning_loop import EPOCH_FILE, _is_whole
from tests.datasets import miniature
from tests.mutation.damage import TEXT
from tests.mutation.packed import TAR, ZIP
from tests.mutation.reader import Reader
from tests.mutation.structures import JSON, YAML

FILES = {"P0/1/joint.txt": b"1\n2\n", "P0/1/000000_depth.bin": bytes(3000), "read me.txt": b"hand\n" * 50}
ROOM_BYTES = 20_000_000


def write_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in FILES.items():
            bundle.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def write_tar(folder: Path, mode: str) -> None:
    for name, content in FILES.items():
        place = folder / "tree" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    with tarfile.open(folder / "a.tar", mode) as bundle:
        bundle.add(folder / "tree/P0", "P0", filter=_as_nobody)
        bundle.add(folder / "tree/read me.txt", "read me.txt", filter=_as_nobody)


def _as_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same bytes on every machine and day."""
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _unpack(name: str) -> Any:
    def read(folder: Path) -> dict[str, bytes]:
        into, around = folder / "out" / "raw", set(folder.parent.iterdir())
        into.parent.mkdir()
        try:
            unpack([(folder / name, "")], into, most_bytes=ROOM_BYTES)
            assert sorted(path.name for path in into.parent.iterdir()) == ["raw"], "something beside the folder"
            return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        except BadInput:
            assert list(into.parent.iterdir()) == [], "something left of a refused archive"
            raise
        finally:
            assert set(folder.parent.iterdir()) == around, "something outside"

    return read


def say_members(folder: Path) -> dict[str, bytes]:
    """What archives of this kind say that have members of their own choosing: each a plain file inside."""
    path = folder / "a.zip"
    if path.is_file():
        with zipfile.ZipFile(path) as bundle:
            assert bundle.testzip() is None, "a wrong sum"
            found = {one.filename: bundle.read(one) for one in bundle.infolist() if not one.is_dir()}
    else:
        with tarfile.open(folder / "a.tar") as bundle:
            found = {}
            for member in bundle:
                if not member.isdir():
                    content = bundle.extractfile(member)
                    assert content is not None, "a device"
                    found[member.name] = content.read()
    return {str(Path(name.replace("\\", "/"))): content for name, content in found.items()}


SOURCE = bytes(range(256)) * 30


def write_fetched(folder: Path) -> None:
    """A download that was cut: a part, and the note of what it is a part of."""
    (folder / "source.bin").write_bytes(SOURCE)
    (folder / "out.bin.part").write_bytes(SOURCE[:2000])
    note = {"address": "source.bin", "etag": "", "modified": "0", "size_bytes": len(SOURCE)}
    note["modified"] = str((folder / "source.bin").stat().st_mtime_ns)
    (folder / "out.bin.part.json").write_text(json.dumps(note))


def read_fetched(folder: Path) -> bytes:
    expected = Expected("any", digest_file(folder / "source.bin"), len(SOURCE))
    fetch(str(folder / "source.bin"), folder / "out.bin", expected=expected, attempts=2, wait_s=0)
    return (folder / "out.bin").read_bytes()


def write_download(folder: Path) -> None:
    """One that is complete."""
    (folder / "raw").mkdir()
    (folder / "raw/a.txt").write_text("a")
    (folder / "manifest.json").write_text(json.dumps({"dataset": "nyu", "source": "download", "files": 1}))


def read_download(folder: Path) -> str:
    return download("nyu", folder, patience=Patience(1, 0, 1)).name


def write_config(folder: Path) -> None:
    """A small part of config.yaml; all of it would take the parser a quarter of a second."""
    whole = yaml.safe_load(Path(__file__).resolve().parents[2].joinpath("config.yaml").read_text())
    whole |= {"use": ["nyu"], "datasets": {name: whole["datasets"][name] for name in ("nyu", "msra", "msra14")}}
    whole["modules"] = {"nn_search": whole["modules"]["nn_search"] | {"datasets": ["nyu"]}}
    whole["papers"] = {"crossing": whole["papers"]["crossing"]}
    (folder / "config.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    (folder / "above.yaml").write_text("seeds: [0, 1]\ncrop: {size_px: 64}\nrender: {seed: 3}\n")


class _Once(yaml.SafeLoader):
    """Refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(keys)) == len(keys), "a key twice"
        return super().construct_mapping(node, deep)


def read_config(folder: Path) -> Any:
    """The settings that the files name, as they were taken."""
    model = load_config([folder / "config.yaml", folder / "above.yaml"]).model_dump(mode="json")
    return {place: _pick(model, _load(folder / place)) for place in ("config.yaml", "above.yaml")}


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) or {}


def _pick(model: Any, asked: Any) -> Any:
    if isinstance(asked, dict) and isinstance(model, dict):
        return {key: _pick(model[key], value) if key in model else None for key, value in asked.items()}
    return model


def say_config(folder: Path) -> Any:
    """What the files say, read strictly; whole numbers may stand for others."""
    said = {}
    for place in ("config.yaml", "above.yaml"):
        said[place] = yaml.load((folder / place).read_text(), _Once) or {}
    above = said["above.yaml"]
    return {"config.yaml": _lay(said["config.yaml"], above), "above.yaml": above}


def _lay(below: Any, above: Any) -> Any:
    """What of the lower file is left, at its own places."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: _lay(value, above[key]) if key in above else value for key, value in below.items()}
    return above


def write_words(folder: Path) -> None:
    (folder / "camera").write_text("588.5\n587.2\n320\n240")
    (folder / "object").write_text("box:60x40x120")
    (folder / "settings").write_text('epochs=3\nlearning_rate=0.001\nname="a"\nlist=[1, 2]')
    words = ["predict", "a.png", "--model", "m", "--out", "o", "--centre", "1", "2", "500", "--cube", "200"]
    (folder / "command").write_text("\n".join([*words, "--near", "200", "--far", "900"]))


def read_words(folder: Path) -> Any:
    """Words as a shell hands them on: bytes that are no UTF-8 among them, but none that is 0."""
    camera, held, settings, command = _split_words(folder)
    known = parse_intrinsics(camera)
    numbers = [known.fx, known.fy, known.cx, known.cy]
    return numbers, parse_object("\n".join(held)).word, parse_settings(settings), _parse(command)


def _split_words(folder: Path) -> list[list[str]]:
    contents = [(folder / name).read_bytes() for name in ("camera", "object", "settings", "command")]
    return [content.decode("utf-8", "surrogateescape").replace("\0", "").split("\n") for content in contents]


def say_words(folder: Path) -> Any:
    """Word for word; what a setting means is its kind's to say."""
    camera, held, settings, command = _split_words(folder)
    known = {"nyu": [588.036865, 587.075073, 320.0, 240.0]}
    numbers = known[camera[0]] if len(camera) == 1 else [_plain(word) for word in camera]
    assert all(number > 0 for number in numbers[:2]), "no focal length"
    edges = [_plain(edge) for edge in held[0].removeprefix("box:").split("x")]
    assert len(edges) == 3, "no box"
    assert all(10 <= edge <= 300 for edge in edges), "no box for a hand"
    pairs = dict(word.split("=", 1) for word in settings)
    return numbers, held[0], {name: _as_json(text) for name, text in pairs.items()}, _parse(command)


def _plain(word: str) -> float:
    assert set(word) <= set("0123456789.eE+- "), word
    return float(word)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parse(words: list[str]) -> dict[str, Any]:
    """A command line that argparse refuses ends with status 2 and a line of its own."""
    try:
        options = build_parser().parse_args(words)
    except SystemExit as end:
        raise BadInput("command", expected="words", found=f"status {end.code}", fix="mend them") from None
    return {name: str(value) for name, value in vars(options).items()}


def write_epoch(folder: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {"a": torch.arange(600.0)}, "callbacks": {}}, folder / EPOCH_FILE)


def read_epoch(folder: Path) -> Any:
    """What a training goes on from; nothing where the file is damaged, and it starts anew."""
    saved = folder / EPOCH_FILE
    if not _is_whole(saved):
        raise BadInput(saved, expected="an epoch to go on from", found="a damaged one", fix="none needed")
    return torch.load(saved, weights_only=True)


WARNED = ("  MEND", "  warn")


def _doctor(write: Any, files: tuple[str, ...], *splits: str) -> Reader:
    """The doctor tells of damage what others refuse: where it warns of nothing, the importer reads every frame."""
    name = write.__name__.removeprefix("write_")

    def fits(folder: Path, told: str, whole: str) -> bool:
        if {line for line in told.splitlines() if line.startswith(WARNED)} - set(whole.splitlines()):
            return True
        for split in splits:
            listing = list_frames(name, folder, split)
            for row in range(len(listing)):
                listing.frame(row)
        return True

    return Reader(f"doctor on {name}", write, files, lambda folder: str(examine(folder, deep=True)), TEXT, fits=fits)


OTHER_READERS = (
    Reader("archive, zip", write_zip, ("a.zip",), _unpack("a.zip"), ZIP, say_members),
    Reader("archive, tar", lambda f: write_tar(f, "w"), ("a.tar",), _unpack("a.tar"), TAR, say_members),
    Reader("archive, tar.gz", lambda f: write_tar(f, "w:gz"), ("a.tar",), _unpack("a.tar"), TAR, say_members),
    Reader("download, cut", write_fetched, ("out.bin.part", "out.bin.part.json"), read_fetched, JSON),
    Reader(
        "download, complete",
        write_download,
        ("manifest.json",),
        read_download,
        JSON,
        command=lambda folder: ["download", "nyu", "--to", str(folder)],
    ),
    Reader(
        "config",
        write_config,
        ("config.yaml", "above.yaml"),
        read_config,
        (*YAML, *YAML, *TEXT),
        say_config,
        cut_is_told=False,
    ),
    Reader(
        "words",
        write_words,
        ("camera", "object", "settings", "command"),
        read_words,
        TEXT,
        say_words,
        cut_is_told=False,
        words_alone=True,
    ),
    Reader("epoch.ckpt", write_epoch, (EPOCH_FILE,), read_epoch),
    _doctor(miniature.write_nyu, ("test/joint_data.mat", "test/depth_1_0000001.png"), "test"),
    _doctor(miniature.write_icvl, ("Testing/test_seq_1.txt", "Training/labels.txt"), "train", "test"),
    _doctor(miniature.write_msra, ("P0/1/joint.txt", "P0/1/000000_depth.bin"), "all"),
    _doctor(miniature.write_msra14, ("Subject1/joint.txt", "Subject1/000000_depth.bin"), "all"),
    _doctor(
        miniature.write_dexter, ("data/Grasp1/annotations/Grasp13D.txt", "data/Grasp1/depth/00000_depth.png"), "test"
    ),
    _doctor(miniature.write_wristband, ("intrinsics.txt", "test/labels.txt", "test/000000.png"), "test"),
)
