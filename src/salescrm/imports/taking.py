"""Which row of a file each record was taken from, so that a second row with the same key can be told from the first."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import attrs

from salescrm.imports.drafts import Draft
from salescrm.values import Id

__all__ = ["Taken", "TakenRow", "open_taken", "said_by"]

#: How many keys one question to SQLite asks for.
_AT_ONCE: Final = 500


@attrs.frozen
class TakenRow:
    """The row that a record was taken from: its line, and a digest of what it says of the record."""

    line: int
    said: bytes


def said_by(draft: Draft) -> bytes:
    """A digest of what *draft* says of its record: equal values have equal ones, however the file writes them."""
    ways = [(change.to_stage, change.at) for change in draft.changes]
    told = repr((draft.fields, draft.facts, ways, [line.fields for line in draft.lines]))
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@attrs.frozen(eq=False)
class Taken:
    """The rows that were taken from one file in one run; kept in a temporary file, so memory does not grow with them."""

    _kept: sqlite3.Connection

    def of(self, ids: Iterable[Id]) -> dict[Id, TakenRow]:
        """By id, the rows that records of *ids* were taken from, as far as they were."""
        wanted, found = list(dict.fromkeys(ids)), dict[Id, TakenRow]()
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            rows = self._kept.execute(f"SELECT id, line, said FROM taken WHERE id IN ({marks})", part)
            found |= {Id(id): TakenRow(line, said) for id, line, said in rows}
        return found

    def add(self, rows: Mapping[Id, TakenRow]) -> None:
        """Remembers *rows*; to be called once they are committed."""
        self._kept.executemany(
            "INSERT INTO taken VALUES (?, ?, ?)", [(id, row.line, row.said) for id, row in rows.items()]
        )


@contextmanager
def open_taken() -> Iterator[Taken]:
    """
    Nothing taken yet; what is remembered goes when it is closed.

    Raises:
        OSError: There is no room for temporary files.
    """
    # No name: a private file of SQLite's, which holds no more than its page cache in memory and deletes itself.
    kept = sqlite3.connect("", isolation_level=None)
    try:
        kept.execute("PRAGMA journal_mode = OFF")
        kept.execute("CREATE TABLE taken (id TEXT PRIMARY KEY, line INTEGER, said BLOB) WITHOUT ROWID")
        yield Taken(kept)
    except sqlite3.OperationalError as problem:
        raise OSError(f"the keys of an import can't be kept: {problem}") from problem
    finally:
        kept.close()
