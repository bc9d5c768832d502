"""The tutorial is a notebook: it runs from top to bottom in a fresh kernel, and prints what it says that it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGE = TUTORIAL / "first-steps.md"
NOTEBOOK = TUTORIAL / "first-steps.ipynb"


def sources(notebook: Any) -> list[tuple[str, str]]:
    """What each cell is and says."""
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def printed(cell: Any) -> str:
    """What *cell* wrote to its standard output."""
    return "".join(
        output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"
    )


@pytest.mark.engine("sqlite")
def test_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    """Each cell that is followed by a block of text prints that text; none writes to the standard error."""
    notebook = jupytext.read(PAGE)
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    promised, shown = [], []
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        assert [] == [one for one in cell.outputs if one.get("name") == "stderr"], cell.source
        said = re.match(r"```text\n(.*?)```", following.source if following else "", flags=re.DOTALL)
        if said:
            promised.append(said[1])
            shown.append(printed(cell))
    assert promised == shown
    assert len(promised) > 10


def test_notebook_is_the_page() -> None:
    """What is downloaded says what is read, cell by cell; ``jupytext --sync docs/tutorial/first-steps.md`` keeps it so."""
    assert sources(jupytext.read(PAGE)) == sources(jupytext.read(NOTEBOOK))


def test_notebook_holds_no_outputs() -> None:
    """Outputs are made by whoever runs it, and make no differences in the history."""
    notebook = jupytext.read(NOTEBOOK)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [] == [cell.source for cell in code if cell.outputs or cell.execution_count is not None]
    assert code
