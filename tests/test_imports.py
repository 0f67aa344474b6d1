"""Imports point one way, from the ground floor up; heavy or fenced-in packages stay in their place."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "handbench"
MODULES = sorted(PACKAGE.rglob("*.py"))

ORDER = (
    (
        "errors",
        "collector",
        "plain_file",
        "json_file",
        "sealed",
        "settings_file",
        "conventions",
        "entries",
        "digest",
        "module_settings",
        "modules",
    )
    + ("module_entries", "argument_words", "own_arguments", "model_arguments")
    + ("config_errors", "config", "job_memory", "provenance"),
    ("geometry",),
    ("hand",),
    ("rendering",),
    ("datasets",),
    ("networks",),
    ("loop",),
    ("fitting",),
    ("methods",),
    ("training",),
    ("evaluation",),
    ("report",),
    ("release",),
    ("arguments",),
    ("own_commands",),
    ("cli",),
    ("__main__",),
)
SETTINGS = tuple(path.stem for path in MODULES if path.parent == PACKAGE and path.stem.endswith("_modules"))
"""Each method's own: what is added here stands beside them."""
LEAVES = ORDER[0] + SETTINGS
"""Helpers that everyone may import."""
FLOOR = {room: floor for floor, rooms in enumerate((LEAVES, *ORDER[1:])) for room in rooms}
NUMPY_ONLY = ("geometry", "datasets")
TORCH_DOORS = (
    "datasets/torch_dataset.py",
    "geometry/alignment.py",
    "geometry/corner_loss.py",
    "geometry/patch_frame.py",
    "geometry/spatial_transformer.py",
    "geometry/splatting.py",
)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_imports(tree: ast.AST) -> list[str]:
    """Dotted names of everything imported; `from handbench import x` counts as handbench.x."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out in full"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def find_module_level_imports(tree: ast.Module) -> list[str]:
    """What loads with the module: everything outside of functions."""
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in inside]
    return find_imports(ast.Module(body=imports, type_ignores=[]))


def rooms_imported(path: Path) -> set[str]:
    imported = [item.split(".") for item in find_imports(ast.parse(path.read_text()))]
    return {parts[1] for parts in imported if parts[0] == "handbench" and len(parts) > 1}


@pytest.mark.parametrize("path", [m for m in MODULES if room_of(m) != "__init__"], ids=name)
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in FLOOR, f"{name(path)} stands in no room of the house"
    for imported in rooms_imported(path) - {"__version__", "open_crops"}:
        assert imported in FLOOR, f"{name(path)} imports handbench.{imported}, which is no room"
        may = imported == room or imported in LEAVES or (room not in LEAVES and FLOOR[imported] < FLOOR[room])
        assert may, f"{name(path)} ({room}) imports from {imported}"


@pytest.mark.parametrize("path", [m for m in MODULES if room_of(m) in ("errors", "conventions")], ids=name)
def test_the_ground_imports_nothing(path):
    assert rooms_imported(path) == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_fenced_packages_stay_in_their_files(path):
    packages = {item.split(".")[0] for item in find_imports(ast.parse(path.read_text()))}
    if name(path) != "rendering/opengl.py":
        assert "pyrender" not in packages
    if name(path) != "training/tracking.py":
        assert "mlflow" not in packages


@pytest.mark.parametrize("path", [m for m in MODULES if room_of(m) in NUMPY_ONLY], ids=name)
def test_numpy_rooms_do_not_load_torch(path):
    packages = {item.split(".")[0] for item in find_module_level_imports(ast.parse(path.read_text()))}
    if name(path) not in TORCH_DOORS:
        assert not packages & {"torch", "pytorch_lightning", "lightning"}


@pytest.mark.parametrize("path", [m for m in MODULES if room_of(m) in NUMPY_ONLY], ids=name)
def test_numpy_rooms_do_not_come_in_by_a_torch_door(path):
    doors = {door.removesuffix(".py").replace("/", ".") for door in TORCH_DOORS}
    for item in find_module_level_imports(ast.parse(path.read_text())):
        through = {door for door in doors if item.startswith(f"handbench.{door}.")}
        assert not through or name(path) in TORCH_DOORS, f"{name(path)} loads torch with {through}"


def test_methods_never_import_one_another():
    methods = {path.stem for path in (PACKAGE / "methods").glob("*.py")} - {"__init__"}
    for path in MODULES:
        if room_of(path) != "methods":
            continue
        imported = {
            item.split(".")[2]
            for item in find_imports(ast.parse(path.read_text()))
            if item.count(".") > 1 and item.startswith("handbench.methods.")
        }
        assert not imported & (methods - {path.stem})


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import a.b", ["a.b"]),
        ("from a import b, c", ["a.b", "a.c"]),
        ("def f():\n    import a", []),
        ("if True:\n    import a", ["a"]),
    ],
)
def test_the_walk_itself(code, found):
    assert find_module_level_imports(ast.parse(code)) == found
