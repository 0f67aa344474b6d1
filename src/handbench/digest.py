"""A digest of the sources a stage really uses, so that a rule re-runs when they change and only then.

Snakemake sees a changed rule but not a changed module. A stage's sources are what its subcommand imports, followed
through the package; comments, docstrings and layout do not count.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from handbench.collector import without_collector

PACKAGE = "handbench"
TOLD = "HANDBENCH_DIGESTS"
"""The variable by which the jobs of a cluster are told what was found where they were planned."""
SOURCES = Path(__file__).resolve().parent
ONLOOKERS = ("provenance.py", "modules.py", "training/tracking*.py", "evaluation/tracked.py")
"""What watches a job and has no say in its result: a better log is no reason to train again. Nor is another paper's
setting: a job's own settings, defaults included, are words of its command line.
"""


def stage_digest(stage: str, *also: str, sources: Path = SOURCES) -> str:
    """Digest of the subcommand `run_<stage>` in cli.py and of every module and data file behind it.

    `also` names files that the stage loads by name, below the package, such as the method that is trained.
    """
    return _digest(stage, also, sources)


def told_digest(stage: str, *also: str, planning: bool, sources: Path = SOURCES) -> str:
    """The same where a cluster's job reads the workflow again, which would take it three seconds of a processor.

    The `planning` process finds the digests and tells its jobs; a job that was told nothing finds them itself.
    """
    told = json.loads(os.environ.get(TOLD, "{}"))
    name = " ".join([stage, *also])
    if planning or name not in told:
        told[name] = stage_digest(stage, *also, sources=sources)
        os.environ[TOLD] = json.dumps(told)
    return told[name]


def stage_files(stage: str, *also: str, sources: Path = SOURCES) -> list[Path]:
    """The modules and data files behind a stage, sorted; cli.py itself counts only by its one function."""
    seen: set[Path] = set()
    waiting = [*_files_named_by(_subcommand(stage, sources), sources / "cli.py", sources)]
    waiting += [sources / name for name in also]
    while waiting:
        path = waiting.pop()
        if path in seen or any(path.relative_to(sources).match(onlooker) for onlooker in ONLOOKERS):
            continue
        seen.add(path)
        if path.suffix == ".py":
            waiting.extend(_files_behind(path, sources))
    return sorted(seen)


@cache
def _digest(stage: str, also: tuple[str, ...], sources: Path) -> str:
    with without_collector():
        whole = hashlib.sha256(ast.dump(_without_docstrings(_subcommand(stage, sources))).encode())
        for path in stage_files(stage, *also, sources=sources):
            whole.update(f"\n{path.relative_to(sources).as_posix()}\n{_file_digest(path)}".encode())
    return whole.hexdigest()[:16]


@cache
def _file_digest(path: Path) -> str:
    content = ast.dump(_without_docstrings(_parse(path))).encode() if path.suffix == ".py" else path.read_bytes()
    return hashlib.sha256(content).hexdigest()


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def _subcommand(stage: str, sources: Path) -> ast.AST:
    for node in _parse(sources / "cli.py").body:
        if isinstance(node, ast.FunctionDef) and node.name == f"run_{stage}":
            return node
    raise LookupError(f"{sources / 'cli.py'}: no function run_{stage}, so the stage {stage} has no digest")


@cache
def _files_behind(path: Path, sources: Path) -> tuple[Path, ...]:
    """What one file names; most stand behind several stages."""
    return tuple(_files_named_by(_parse(path), path, sources))


def _files_named_by(tree: ast.AST, path: Path, sources: Path) -> Iterator[Path]:
    """Modules of the package that a tree imports anywhere, and data files of the package that it names."""
    for node in _walk_statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _find_module(alias.name, sources)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_name(node, path, sources)
            yield from _find_module(base, sources)
            for alias in node.names:
                yield from _find_module(f"{base}.{alias.name}", sources)
    content, known = path.read_bytes(), _data_files(sources)
    # Expressions are nine nodes in ten: they are looked into where there is something to find.
    if any(name.encode() in content for name in known):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known:
                yield known[node.value]


def _absolute_name(node: ast.ImportFrom, path: Path, sources: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = (PACKAGE, *path.parent.relative_to(sources).parts)
    return ".".join((*package[: len(package) - node.level + 1], *([node.module] if node.module else [])))


@cache
def _find_module(name: str, sources: Path) -> tuple[Path, ...]:
    parts = name.split(".")
    # The package's own __init__ holds the version and lazy front doors to every stage: it belongs to none.
    if parts[0] != PACKAGE or len(parts) == 1:
        return ()
    place = sources.joinpath(*parts[1:])
    packages = [sources.joinpath(*parts[1:depth]) / "__init__.py" for depth in range(2, len(parts) + 1)]
    return tuple(candidate for candidate in (place.with_suffix(".py"), *packages) if candidate.is_file())


@cache
def _data_files(sources: Path) -> dict[str, Path]:
    return {
        path.name: path
        for path in sorted(sources.rglob("*"))
        if path.is_file() and path.suffix != ".py" and path.parent.name != "__pycache__"
    }


def _without_docstrings(tree: ast.AST) -> ast.AST:
    """The tree less its strings that stand alone: docstrings, and the notes below attributes."""
    for node in _walk_statements(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_bare_string(line)]  # type: ignore[attr-defined]
    return tree


def _walk_statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The tree and all statements below it, without the expressions in them."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                waiting.extend(one for one in value if isinstance(one, (ast.stmt, ast.excepthandler, ast.match_case)))


def _is_bare_string(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
