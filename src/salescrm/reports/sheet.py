"""A report as a person sees it: a table of ready text with bars, for a notebook's HTML and for the command line."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias
from unicodedata import east_asian_width

import attrs

from salescrm.labels import Label, Language
from salescrm.values import Money

__all__ = ["Bar", "Cell", "Column", "Sheet", "heading", "moneys", "percent", "plain_days", "whole", "wide"]

NOTHING: Final = "–"
#: How many signs the longest bar has in text.
_LONGEST: Final = 20


@attrs.frozen
class Bar:
    """A bar of this *share* of the longest, from 0 to 1."""

    share: float


Cell: TypeAlias = str | Bar


@attrs.frozen
class Column:
    """A column and its heading; *number* columns stand to the right."""

    heading: str
    number: bool = True


@attrs.frozen(kw_only=True)
class Sheet:
    """A table of ready text: one cell per column in each row, and what must be said below it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def to_html(self) -> str:
        """The table as a fragment of HTML without scripts; everything from outside is escaped."""
        heads = "".join(
            f'<th style="{_align(column)}">{escape(column.heading)}</th>' for column in self.columns
        )
        lines = "".join(
            "<tr>"
            + "".join(_html(cell, column) for cell, column in zip(row, self.columns, strict=True))
            + "</tr>"
            for row in self.rows
        )
        notes = "".join(f'<div style="opacity:.7;font-size:85%">{escape(note)}</div>' for note in self.notes)
        caption = f'<caption style="text-align:left;font-weight:600">{escape(self.title)}</caption>'
        return (
            f"<div><table>{caption}<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>{notes}</div>"
        )

    def __str__(self) -> str:
        """The table as lines of text, its columns aligned also where signs are as wide as two."""
        heads = tuple(column.heading for column in self.columns)
        lines = [heads, *(tuple(_text(cell) for cell in row) for row in self.rows)]
        widths = [max(map(wide, column)) for column in zip(*lines, strict=True)]
        shown = (
            "  ".join(
                _padded(text, width, column)
                for text, width, column in zip(line, widths, self.columns, strict=True)
            ).rstrip()
            for line in lines
        )
        return "\n".join((self.title, "", *shown, *(("", *self.notes) if self.notes else ())))


def wide(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _text(cell: Cell) -> str:
    return "\u2588" * round(cell.share * _LONGEST) if isinstance(cell, Bar) else cell


def _padded(text: str, width: int, column: Column) -> str:
    space = " " * (width - wide(text))
    return space + text if column.number else text + space


def _align(column: Column) -> str:
    return f"text-align:{'right' if column.number else 'left'}"


def _html(cell: Cell, column: Column) -> str:
    if isinstance(cell, Bar):
        fill = f'<div style="background:#4c78a8;height:.8em;width:{cell.share * 100:.1f}%"></div>'
        return f'<td style="min-width:9em">{fill}</td>'
    return f'<td style="{_align(column)}">{escape(cell)}</td>'


def whole(value: int | None) -> str:
    """*value* in groups of three digits."""
    return NOTHING if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """A rate with one decimal."""
    return NOTHING if value is None else f"{value:.1%}"


def plain_days(value: float | None) -> str:
    """Days with one decimal."""
    return NOTHING if value is None else f"{value:,.1f}"


def moneys(column: Iterable[tuple[Money, ...]], currency: str | None) -> tuple[str, ...]:
    """
    Each of a *column* of amounts: bare where the heading names the *currency*, else each with its own.

    Decimals are shown where one amount of the column has any.
    """
    column = tuple(column)
    broken = any(amount.amount % 1 for amounts in column for amount in amounts)

    def text(amount: Money) -> str:
        shown = f"{amount.amount:,}" if broken else f"{amount.amount:,.0f}"
        return shown if currency is not None else f"{shown} {amount.currency}"

    return tuple(" + ".join(map(text, amounts)) or "0" for amounts in column)


def heading(label: Label, lang: Language, currency: str | None = None) -> str:
    """What a column is called, with the currency its amounts are in."""
    return f"{label.text(lang)} ({currency})" if currency else label.text(lang)
