"""The page of public names: every name loads and is documented; importing it costs nothing."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api as mypy

import bayescausal

NAMES = sorted(set(bayescausal.__all__))
HEADINGS = ("Parameters\n", "Examples\n", "Returns\n", "Raises\n", "See Also\n")
HEAVY = ("numpy", "pandas", "xarray", "networkx", "scipy", "pymc", "pytensor", "jax", "matplotlib")
BUDGET = 0.5


def promised():
    """Names by module, as they are written in ``__init__.pyi``, read without importing them."""
    page = ast.parse(Path(bayescausal.__file__).with_suffix(".pyi").read_text())
    imports = [n for n in page.body if isinstance(n, ast.ImportFrom) and n.module]
    assert all(alias.asname == alias.name for n in imports for alias in n.names), "re-exported"
    return {n.module: [alias.name for alias in n.names] for n in imports}


@pytest.mark.slow
def test_type_checkers_know_the_names(tmp_path):
    """A verb is a function to mypy, and a name that does not exist is an error."""
    script = tmp_path / "script.py"
    script.write_text("import bayescausal as bc\nreveal_type(bc.identify)\nbc.ffit()\n")
    where = ["--config-file", str(Path(bayescausal.__file__).parents[1] / "pyproject.toml")]
    page, _, status = mypy.run([*where, "--follow-imports=silent", str(script)])
    assert status == 1
    assert "def (graph" in page
    assert '"ffit"' in page


def test_the_page_lists_what_it_promises_once():
    listed = [name for names in promised().values() for name in names]
    assert len(listed) == len(set(listed))
    assert {*listed, "errors"} == set(NAMES)
    for verb in ("fit", "effect", "summarize", "decompose", "roas", "build", "load"):
        assert verb in listed


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_loads(name):
    assert getattr(bayescausal, name) is not None
    assert name in dir(bayescausal)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_comes_from_where_the_page_says(name):
    made = getattr(bayescausal, name)
    if inspect.ismodule(made):
        assert made.__name__ == f"bayescausal.{name}"
        return
    home = next(module for module, names in promised().items() if name in names)
    assert made.__module__ == f"bayescausal.{home}"


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented(name):
    made = getattr(bayescausal, name)
    text = made.__doc__ or ""
    assert len(text.strip().splitlines()[0]) > 15, "one line that says what it is"
    if inspect.isclass(made):
        # A dataclass without a docstring gets its signature for one.
        assert not text.startswith(f"{name}(")
        inherited = "\n".join(parent.__doc__ or "" for parent in made.__mro__[:-1])
        assert any(h in inherited for h in HEADINGS)
    elif callable(made):
        assert any(h in text for h in HEADINGS)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_of_a_public_function_is_documented(name):
    made = getattr(bayescausal, name)
    if not inspect.isfunction(made):
        assert inspect.isclass(made) or inspect.ismodule(made)
        return
    for parameter in inspect.signature(made).parameters:
        assert parameter in made.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        bayescausal.no_such_name  # noqa: B018


PROBE = f"""
import sys, time
start = time.perf_counter()
import bayescausal
took = time.perf_counter() - start
print(took, *[m for m in {HEAVY!r} if m in sys.modules])
"""


def probe():
    run = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    took, *loaded = run.stdout.split()
    return float(took), loaded


def test_importing_the_package_is_quick_and_loads_nothing_heavy():
    runs = [probe() for _ in range(3)]
    assert not [name for _, loaded in runs for name in loaded]
    assert min(took for took, _ in runs) < BUDGET  # the best of three: other jobs share the machine
