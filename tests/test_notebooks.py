"""The notebooks are whole, run from top to bottom, and say what they claim."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_is_whole(path):
    """It is of the format, its cells can be read, and no output that it keeps is an error."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    for cell in cells:
        compile(TransformerManager().transform_cell(cell.source), path.name, "exec")
        assert not [output for output in cell.outputs if output.output_type == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    text = "\n".join(
        output.get("data", {}).get("text/plain", "") or output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "NOT CONVERGED" not in text
    assert "covered" in text


def test_there_are_notebooks():
    found = {path.stem for path in NOTEBOOKS}
    told = {"01_first_fit", "02_graph_and_identification", "03_experiments", "04_augmentation"}
    assert told | {"05_decisions", "06_does_the_graph_fit"} <= found
