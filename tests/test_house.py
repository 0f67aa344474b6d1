"""The house rules that a machine can hold."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def count_body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = {
        node.name: count_body_lines(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, FUNCTIONS) and count_body_lines(node) > 60
    }
    assert long == {}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_unpickles(path):
    tree = ast.parse(path.read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        settings = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        assert settings.get("allow_pickle") is not True
        assert settings.get("weights_only") is not False
        called = ast.unparse(call.func)
        if called in ("np.load", "numpy.load"):
            assert settings.get("allow_pickle") is False
        if called == "torch.load":
            assert settings.get("weights_only") is True


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_is_left_undone_or_unnamed(path):
    assert path.name not in ("utils.py", "util.py", "helpers.py", "misc.py", "common.py")
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]
    assert [function.name for function in functions if function.args.kwarg is not None] == []
