"""How results show themselves beyond their tables: rows in little memory, bars, data frames."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import pytest

from salescrm.errors import InvalidValue, Misconfigured
from salescrm.reports import Bar, Column, Sheet
from salescrm.reports.charts import Chart, Series
from salescrm.reports.frames import frame
from salescrm.reports.rows import Rows

ROWS = [("甲", "north", 2), ("乙", "south", 1), ("丙", "north", 1), ("丁", "north", 3)]


@pytest.fixture
def rows() -> Rows[tuple[str, str, int]]:
    """Four rows of a column of their own and two shared ones."""
    made: Rows[tuple[str, str, int]] = Rows(lambda name, pool, day: (name, pool, day), own=1, shared=2)
    for name, pool, day in ROWS:
        made.add((name,), (pool, day))
    return made


def test_rows_are_a_sequence(rows: Rows[tuple[str, str, int]]) -> None:
    assert (4, ROWS, ROWS[-1], tuple(ROWS[1:3])) == (len(rows), list(rows), rows[-1], rows[1:3])
    assert rows == tuple(ROWS)
    assert rows != tuple(ROWS[:3])
    assert hash(rows) == hash(tuple(ROWS))
    assert {"north": 3, "south": 1} == rows.counts(0)
    with pytest.raises(IndexError):
        rows[4]


def test_rows_are_arranged_by_what_they_share(rows: Rows[tuple[str, str, int]]) -> None:
    """Those of one place stay as they were; those without one go."""
    arranged = rows.arranged(1, lambda day: None if day == 3 else day)
    assert ["乙", "丙", "甲"] == [name for name, _, _ in arranged]
    assert ROWS == list(rows)


def test_a_chart_is_one_element_without_holes() -> None:
    """It parses as XML, and no text from outside becomes markup."""
    chart = Chart(
        title="<script>", labels=("a&b", "安"), series=(Series("A", (2, 0)), Series('"B"', (1.5, 3)))
    )
    root = ET.fromstring(chart._repr_html_())
    shapes = [one.get("width") for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    # Two of the legend, then both bars of each label, the longest of full length.
    assert ["10", "10", "280.0", "210.0", "0.0", "420.0"] == shapes
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"<script>", "a&b", "安", '"B"', "1.5"} <= set(texts)


def test_a_chart_of_nothing_is_empty() -> None:
    chart = Chart(title="t", labels=("a",), series=(Series("A", (0,)),))
    assert 'width="0.0"' in chart.svg
    ET.fromstring(Chart(title="t", labels=(), series=(Series("A", ()),)).svg)


def test_a_sheet_is_text_too() -> None:
    """Columns are aligned where signs are as wide as two."""
    sheet = Sheet(
        title="t",
        columns=(Column("name", number=False), Column("n"), Column("", number=False)),
        rows=(("安安", "1", Bar(0.5)), ("bo", "20", Bar(1.0))),
        notes=("so",),
    )
    assert f"t\n\nname   n\n安安   1  {'█' * 10}\nbo    20  {'█' * 20}\n\nso" == str(sheet)


def test_a_frame_is_of_the_library_that_is_asked_for() -> None:
    import polars as pl

    made = frame(({"a": n, "b": str(n)} for n in range(3)), ["b", "a"], "polars")
    assert isinstance(made, pl.DataFrame)
    assert (["b", "a"], [("0", 0), ("1", 1), ("2", 2)]) == (made.columns, made.rows())
    assert made.equals(frame([{"a": n, "b": str(n)} for n in range(3)], ["b", "a"], pl))
    assert [] == frame([], ["a"]).rows()


def test_no_such_library_is_said() -> None:
    with pytest.raises(InvalidValue, match="polars, pandas"):
        frame([], ["a"], "excel")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which package, and how to get it."""
    monkeypatch.setattr("salescrm.reports.frames.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="polars, pandas or pyarrow"):
        frame([], ["a"])
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    with pytest.raises(Misconfigured, match=r"salescrm\[frames\]"):
        frame([], ["a"])
