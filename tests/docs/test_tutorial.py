"""Some pages are notebooks: each runs from top to bottom in a fresh kernel, and prints what it says that it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[2] / "docs"
#: How many of a page's cells print what it says, at least.
NOTEBOOKS = {"tutorial/first-steps": 11, "howto/backtest-two-policies": 7}

pages = pytest.mark.parametrize("page", NOTEBOOKS)


def sources(notebook: Any) -> list[tuple[str, str]]:
    """What each cell is and says."""
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def printed(cell: Any) -> str:
    """What *cell* wrote to its standard output."""
    return "".join(
        output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"
    )


def test_every_notebook_is_run() -> None:
    """A notebook that no test runs says what it once said."""
    assert set(NOTEBOOKS) == {
        path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.ipynb")
    }


@pytest.mark.engine("sqlite")
@pages
def test_notebook_prints_what_it_says(page: str, tmp_path: Path) -> None:
    """Each cell that is followed by a block of text prints that text; none writes to the standard error."""
    notebook = jupytext.read(DOCS / f"{page}.md")
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
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
    assert len(promised) >= NOTEBOOKS[page]


@pages
def test_notebook_is_the_page(page: str) -> None:
    """What is downloaded says what is read, cell by cell; ``jupytext --sync docs/tutorial/first-steps.md`` keeps it so."""
    assert sources(jupytext.read(DOCS / f"{page}.md")) == sources(jupytext.read(DOCS / f"{page}.ipynb"))


@pages
def test_notebook_holds_no_outputs(page: str) -> None:
    """Outputs are made by whoever runs it, and make no differences in the history."""
    notebook = jupytext.read(DOCS / f"{page}.ipynb")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [] == [cell.source for cell in code if cell.outputs or cell.execution_count is not None]
    assert code
