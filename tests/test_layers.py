"""The architecture, held by the imports: who may know whom."""

import ast
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

import bayescausal

ROOT = Path(bayescausal.__file__).parent
# A layer imports from the layers to its left, and from itself.
ORDER = (
    "_process",
    "_types",
    "thresholds",
    "errors",
    "_display",
    "_files",
    "checks",
    "graphs",
    "data",
    "experiments",
    "specs",
    "identification",
    "augmentation",
    "model",
    "inference",
    "queries",
    "validation",
    "decisions",
    "presentation",
)
BELOW = {layer: set(ORDER[: k + 1]) for k, layer in enumerate(ORDER)}
BELOW |= {k: set() for k in ("_process", "_types", "thresholds", "errors", "_display")}
BELOW["truth"] = {*BELOW["specs"], "model", "truth"}
BELOW["__main__"] = {"presentation"}  # the command line, under the package's own name
BELOW["__init__"] = {"_process"}  # else names only; lazy_loader imports them on first use
ONLY = {
    "causallearn": {"validation"},
    "dowhy": {"validation"},
    "matplotlib": {"presentation"},
    "pymc": {"model", "inference"},
    "pytensor": {"augmentation", "model", "inference"},
    "nutpie": {"inference"},
    "blackjax": {"inference"},
    "jax": {"inference"},
    "sklearn": {"augmentation"},
    "statsmodels": {"validation"},
}
LONGEST = 450
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


def module(path):
    """Dotted name below the package: ``specs.graph``, ``specs`` for its ``__init__``."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def layer(name):
    return name.split(".")[0]


@cache
def tree(path):
    return ast.parse(path.read_text(), str(path))


def imported(path):
    """Every module that a file imports, as absolute dotted names, wherever the import stands."""
    here = ["bayescausal", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:  # `from package import module` imports a module too
                yield f"{name}.{alias.name}"


def own(path):
    """Modules of the package that a file imports, below the package's name."""
    known = {module(p) for p in FILES}
    for name in imported(path):
        if name.split(".")[0] != "bayescausal":
            continue
        parts = name.split(".")[1:]
        while parts and ".".join(parts) not in known:
            parts.pop()  # the name of a function or a class
        yield ".".join(parts) or "__init__"


def foreign(path):
    return {name.split(".")[0] for name in imported(path)} - {"bayescausal", "__future__"}


def test_the_package_was_found():
    assert {"__init__", "graphs.graph", "model.scm", "inference.fit"} <= {module(p) for p in FILES}
    scm = next(p for p in FILES if module(p) == "model.scm")
    assert {"graphs.edge", "_types"} <= set(own(scm))
    assert "numpy" in foreign(scm)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_is_in_a_known_layer(path):
    assert layer(module(path)) in BELOW, "say in ARCHITECTURE.md and in ORDER where it belongs"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_layer_imports_only_from_layers_below(path):
    mine = layer(module(path))
    allowed = BELOW.get(mine, set())
    if module(path).startswith("presentation.cli"):
        allowed = allowed | {"__init__"}  # the command line uses the public, lazy names
    wrong = sorted({name for name in own(path) if layer(name) not in allowed})
    assert not wrong, f"{mine} may import from {sorted(allowed)}, not {wrong}"


def test_nothing_imports_presentation_or_truth_but_themselves():
    for path in FILES:
        others = {layer(name) for name in own(path)} - {layer(module(path))}
        others = set() if module(path) == "__main__" else others
        assert not others & {"presentation", "truth"}, path


def test_no_import_stands_inside_a_function():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inside = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
                assert not inside, f"{path}:{inside[0].lineno}"


def test_imports_have_no_cycle():
    graph = nx.DiGraph(
        (module(path), name) for path in FILES for name in own(path) if name != "__init__"
    )
    assert graph.number_of_edges() > 30
    assert nx.is_directed_acyclic_graph(graph), list(nx.find_cycle(graph))


@pytest.mark.parametrize("package", sorted(ONLY))
def test_a_heavy_package_stays_in_its_layers(package):
    users = {layer(module(path)) for path in FILES if package in foreign(path)}
    assert users <= ONLY[package]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_is_short_enough_to_read(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{lines} lines: split it by noun"
