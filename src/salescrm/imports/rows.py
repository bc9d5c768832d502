"""Rows of a CSV file, one at a time, each with its line: what they mean is said elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.imports.encodings import open_text, recognise

__all__ = ["BadRow", "Row", "Table", "open_table"]


@attrs.frozen
class Row:
    """One row: its first line in the file, from 1, and its cells, stripped of blanks around them."""

    line: int
    cells: Sequence[str]


@attrs.frozen
class BadRow:
    """A row that can't be cut into cells, and why."""

    line: int
    problem: InvalidValue


@attrs.frozen(eq=False)
class Table:
    """An open file: the names of its columns, its rows to come, how many of its bytes have been read."""

    columns: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    size: int
    _raw: object

    @property
    def done(self) -> int:
        """The bytes read so far."""
        return int(self._raw.tell())  # type: ignore[attr-defined]  # the open file below the text


@contextmanager
def open_table(path: Path, *, encoding: str | None, delimiter: str) -> Iterator[Table]:
    """
    The CSV file *path*, its first line naming the columns; memory does not grow with it.

    Raises:
        InvalidDefinition: It has no first line, or one that names a column twice, or is not in *encoding* at all.
        OSError: It can't be read.
    """
    text, raw = open_text(path, encoding or recognise(path))
    with text:
        # strict: a quote out of place is told, not guessed away.
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(reader, None)
        except (csv.Error, UnicodeError) as problem:
            raise InvalidDefinition(path.name, (f"the first line can't be read: {problem}",)) from problem
        if not header:
            raise InvalidDefinition(
                path.name, ("the file is empty; a first line that names the columns is wanted",)
            )
        columns = tuple(name.strip() for name in header)
        if doubled := sorted({name for name in columns if name and columns.count(name) > 1}):
            raise InvalidDefinition(path.name, (f"two columns have the same name: {', '.join(doubled)}",))
        yield Table(columns, _rows(reader, path.name, len(columns)), path.stat().st_size, raw)


def _rows(reader: csv._reader, file: str, width: int) -> Iterator[Row | BadRow]:  # type: ignore[name-defined]  # typeshed keeps its name private
    """Every row but blank ones; the line of a row is where it begins."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            yield BadRow(line, InvalidValue(file, "row", None, f"well-formed CSV: {problem}"))
            continue
        except UnicodeError as problem:
            # From here on nothing can be told apart; only encodings of wide characters get here.
            yield BadRow(line, InvalidValue(file, "row", None, f"text in the file's encoding: {problem}"))
            return
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != width:
            yield BadRow(line, InvalidValue(file, "row", ",".join(cells), f"{width} cells, not {len(cells)}"))
            continue
        yield Row(line, [cell.strip() for cell in cells])
