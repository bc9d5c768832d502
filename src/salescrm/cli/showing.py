"""How results look on a terminal: tables with bars, sentences, progress; JSON goes to standard output alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from rich.bar import Bar as RichBar
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from salescrm.errors import CrmError, InvalidDefinition
from salescrm.imports import Progress as ImportProgress
from salescrm.labels import Language
from salescrm.locale import message
from salescrm.locale.catalogs import catalog
from salescrm.reports import Bar, Sheet

__all__ = ["counting", "out", "problem_lines", "show", "show_json", "told"]

#: How many characters the longest bar has.
_BAR: Final = 24
#: A shorter one shows nothing.
_SHORTEST_BAR: Final = 4


def out() -> Console:
    """The console on standard output as it is now."""
    return Console(highlight=False)


def told(text: str) -> None:
    """One line on standard error: what is no result."""
    click.echo(text, err=True)


def show_json(data: Any) -> None:
    """*data* as JSON on standard output, in ASCII where that can't show all of it."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    click.echo(text if _shows(text, sys.stdout.encoding) else json.dumps(data, indent=2))


def _shows(text: str, encoding: str | None) -> bool:
    """Whether *encoding* has every character of *text*."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def show(sheet: Sheet) -> None:
    """*sheet* as a table; its bars take what space the terminal has left, and no figure is ever cut."""
    console = out()
    widths = [_width(sheet, position) for position in range(len(sheet.columns))]
    bars = [width is None for width in widths]
    taken = sum(width for width in widths if width is not None) + 2 * (len(widths) - sum(bars))
    bar = max(min(console.width - taken - 2, _BAR), 0) if _shows("█", console.encoding) else 0
    table = Table(title=Text(sheet.title, style="bold"), title_justify="left", box=None, pad_edge=False)
    shown = [position for position, is_bar in enumerate(bars) if not is_bar or bar >= _SHORTEST_BAR]
    for position in shown:
        column = sheet.columns[position]
        table.add_column(
            Text(column.heading, style="dim"), justify="right" if column.number else "left", no_wrap=True
        )
    for row in sheet.rows:
        table.add_row(*(_cell(row[position], bar) for position in shown))
    # A terminal that is too narrow wraps the lines; better than figures without an end.
    console.width = max(console.width, taken)
    console.print()
    console.print(table)
    console.print()
    for note in sheet.notes:
        console.print(Text(note, style="dim"), soft_wrap=True)


def _width(sheet: Sheet, position: int) -> int | None:
    """How many cells of the terminal a column of text takes; None for one of bars."""
    cells = [row[position] for row in sheet.rows]
    if any(isinstance(cell, Bar) for cell in cells):
        return None
    return max(cell_len(text) for text in (sheet.columns[position].heading, *map(str, cells)))


def _cell(cell: str | Bar, width: int) -> Text | RichBar:
    if isinstance(cell, Bar):
        return RichBar(1.0, 0.0, cell.share, width=width, color="cyan")
    return Text(cell)


def problem_lines(problem: CrmError, lang: Language) -> list[str]:
    """*problem* as a sentence, or as a list where a definition has several problems."""
    if isinstance(problem, InvalidDefinition) and len(problem.problems) > 1:
        words = catalog(lang)
        head = InvalidDefinition(problem.what, ("",))
        lines = [words.sentence(one) if lang == "zh" else one for one in problem.problems]
        return [message(head, lang).rstrip(" :："), *(f"  - {line}" for line in lines)]
    return [message(problem, lang)]


@contextmanager
def counting() -> Iterator[Callable[[ImportProgress], None]]:
    """A bar per file on standard error, told how far it is."""
    bars: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def tell(now: ImportProgress) -> None:
            task = bars.get(now.records)
            if task is None:
                task = bars[now.records] = progress.add_task(now.records, total=now.size, rows=0)
            progress.update(task, completed=now.done, rows=now.rows)

        yield tell
