"""
What a plan means: its conditions, values, order and tables of numbers, computed on records in memory.

This is the reference that every engine must agree with, and what the memory backend runs.  What is made here is made
once per plan and called for many records; how records are found is the backends' business.
"""

from __future__ import annotations

from salescrm.meaning.conditions import Getter, Lookup, Sort, Test, condition, shown, sorted_by, source
from salescrm.meaning.possible import possible
from salescrm.meaning.sweeps import swept_rows
from salescrm.meaning.tallies import Tabulate, tabulator, tally

__all__ = [
    "Getter",
    "Lookup",
    "Sort",
    "Tabulate",
    "Test",
    "condition",
    "possible",
    "shown",
    "sorted_by",
    "source",
    "swept_rows",
    "tabulator",
    "tally",
]
