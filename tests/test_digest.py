"""What changes a stage's digest, and what does not."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from handbench import digest
from handbench.digest import TOLD, stage_digest, stage_files, told_digest

STAGES = ("synthesize", "download", "crop", "show", "train", "predict", "evaluate", "report")

TREE = {
    "__init__.py": '"""The package."""\n__version__ = "1"\nfrom handbench.apart import lone\n',
    "cli.py": """
        def run_walk(options):
            from handbench.room.door import open_door
            open_door(options.out)

        def run_other(options):
            return 1
        """,
    "room/__init__.py": "",
    "room/door.py": '''
        """A door."""
        from . import hinge
        from ..tools.oil import pour

        def open_door(out):
            """Open it."""
            # gently
            return hinge.turn(pour(), "table.json")
        ''',
    "room/hinge.py": """
        def turn(oil, table):
            return oil + 1
        """,
    "room/table.json": "{}",
    "room/other.json": "{}",
    "tools/__init__.py": "",
    "tools/oil.py": """
        def pour():
            import handbench.tools.can
            return handbench.tools.can.SIZE
        """,
    "tools/can.py": 'SIZE = 1\n"""How much it holds."""\n',
    "apart.py": "lone = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        path = tmp_path / "handbench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "handbench"


def fresh_digest(tree: Path) -> str:
    """As a new process sees it: the digest is remembered within one."""
    code = "import sys; from pathlib import Path; from handbench.digest import stage_digest as d; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(d('walk', sources=Path(sys.argv[1])))", str(tree)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_files_of_a_stage_are_what_it_imports(tree: Path) -> None:
    found = [path.relative_to(tree).as_posix() for path in stage_files("walk", sources=tree)]
    assert found == [
        "room/__init__.py",
        "room/door.py",
        "room/hinge.py",
        "room/table.json",
        "tools/__init__.py",
        "tools/can.py",
        "tools/oil.py",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("room/door.py", "# gently", "# with force, twice"),
        ("room/door.py", '"""Open it."""', '"""Open it, or fail."""'),
        ("room/door.py", '"""A door."""', ""),
        ("room/hinge.py", "return oil + 1", "return (oil\n            + 1)"),
        ("tools/can.py", "How much it holds.", "Litres."),
        ("apart.py", "lone = 1", "lone = 2"),
        ("__init__.py", '"1"', '"2"'),
        ("cli.py", "return 1", "return 2"),
        ("room/other.json", "{}", "[]"),
    ],
)
def test_words_and_strangers_leave_the_digest(tree: Path, name: str, old: str, new: str) -> None:
    before = fresh_digest(tree)
    replace(tree / name, old, new)
    assert fresh_digest(tree) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("room/door.py", "pour(), ", "2 * pour(), "),
        ("room/hinge.py", "oil + 1", "oil + 2"),
        ("tools/can.py", "SIZE = 1", "SIZE = 2"),
        ("cli.py", "options.out", "options.into"),
        ("room/table.json", "{}", "[]"),
        ("tools/__init__.py", "", "import os\n"),
    ],
)
def test_code_and_data_behind_the_stage_change_it(tree: Path, name: str, old: str, new: str) -> None:
    before = fresh_digest(tree)
    replace(tree / name, old, new)
    assert fresh_digest(tree) != before


def test_a_stage_without_a_subcommand_is_said(tree: Path) -> None:
    with pytest.raises(LookupError, match="no function run_dance"):
        stage_digest("dance", sources=tree)


def test_what_a_stage_loads_by_name_counts(tree: Path) -> None:
    names = [path.name for path in stage_files("walk", "apart.py", sources=tree)]
    assert "apart.py" in names
    assert stage_digest("walk", "apart.py", sources=tree) != stage_digest("walk", sources=tree)


def test_what_only_watches_does_not_count() -> None:
    names = {path.name for path in stage_files("train", "methods/nearest_neighbour.py")}
    assert {"train.py", "nearest_neighbour.py", "checkpoint.py"} <= names
    assert not names & {"tracking.py", "tracking_log.py", "provenance.py", "modules.py"}


def test_every_stage_of_the_pipeline_reaches_its_room() -> None:
    rooms = {stage: {path.parent.name for path in stage_files(stage)} for stage in STAGES}
    assert {"datasets", "hand", "rendering"} <= rooms["synthesize"]
    assert {"datasets", "geometry"} <= rooms["crop"]
    assert "report" in rooms["show"]
    assert "report" not in rooms["crop"]


def test_crops_of_other_centres_know_no_network() -> None:
    rooms = {path.parent.name for path in stage_files("crop")}
    assert not rooms & {"networks", "loop", "methods", "training"}
    localized = {path.name for path in stage_files("crop_localized", "methods/feedback19.py")}
    assert {"localize.py", "localizer.py", "localization.py", "crops.py"} <= localized


def test_the_digests_of_all_stages_take_under_a_second() -> None:
    code = (
        "import time; start = time.process_time(); from handbench.digest import stage_digest; "
        f"[stage_digest(stage) for stage in {STAGES!r}]; print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.0


def test_a_job_is_told_what_the_planning_process_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOLD, "{}")
    found = told_digest("show", planning=True)
    other = told_digest("train", "methods/deepmodel.py", planning=True)
    assert (found, other) == (stage_digest("show"), stage_digest("train", "methods/deepmodel.py"))
    monkeypatch.setattr(digest, "stage_digest", lambda *words, **options: "found again")
    assert told_digest("show", planning=False) == found
    assert told_digest("train", "methods/deepmodel.py", planning=False) == other
    assert told_digest("fit", planning=False) == "found again", "nobody told it"
    assert told_digest("show", planning=True) == "found again", "who plans looks at the sources, whatever it was told"
