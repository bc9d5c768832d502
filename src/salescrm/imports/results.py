"""What became of an import: counts for each kind of record, and every row that was refused, with the reason."""

from __future__ import annotations

from typing import Any

import attrs

from salescrm.errors import CrmError, InvalidValue

__all__ = ["Counts", "ImportResult", "Progress", "RecordsResult", "RefusedRow"]


@attrs.frozen(kw_only=True)
class RefusedRow:
    """
    A row that was not taken in, or of which one reference was not.

    Attributes:
        records: The plan's records that it was read for.
        line: Where the row begins, from 1; the line with the columns' names is 1.
        column: The column it lies at, where it lies at one, with its *value* as the file has it.
        problem: Why, as the error that a single record would have raised.
    """

    records: str
    file: str
    line: int
    column: str | None
    value: str | None
    problem: CrmError

    @property
    def reason(self) -> str:
        """Why, in English."""
        problem = self.problem
        return f"expected {problem.expected}" if isinstance(problem, InvalidValue) else str(problem)

    def to_plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "records": self.records,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "value": self.value,
            "reason": self.reason,
        }


@attrs.frozen(kw_only=True)
class Counts:
    """
    What became of rows: each was added, updated, unchanged or refused.

    *linked* counts the records that were then given a reference to one further down in their own file.
    """

    rows: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    linked: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            added=self.added + other.added,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            refused=self.refused + other.refused,
            linked=self.linked + other.linked,
        )


@attrs.frozen(kw_only=True)
class RecordsResult:
    """What became of one of the plan's *records*."""

    name: str
    file: str
    entity: str
    counts: Counts


@attrs.frozen(kw_only=True)
class ImportResult:
    """
    What became of a whole import.

    Attributes:
        refused: The refused rows, in the order they were met, up to the number that was to be kept.
        counts: Over all records.
    """

    plan: str
    records: tuple[RecordsResult, ...]
    refused: tuple[RefusedRow, ...]

    @property
    def counts(self) -> Counts:
        """Over all records."""
        return sum((one.counts for one in self.records), Counts())

    def to_plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "import": self.plan,
            **attrs.asdict(self.counts),
            "records": [
                {"name": one.name, "file": one.file, "entity": one.entity, **attrs.asdict(one.counts)}
                for one in self.records
            ],
            "refused_rows": [row.to_plain() for row in self.refused],
        }


@attrs.frozen(kw_only=True)
class Progress:
    """How far an import has got: which records, how many bytes of their file, how many rows."""

    records: str
    file: str
    done: int
    size: int
    rows: int
