"""
What waits for a host's commit.

SQLAlchemy tells a Connection's listeners *before* it commits, and tells nobody afterwards; what runs then must be hung
on the transaction's own ``commit``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import event

__all__ = ["Effects"]

Effect: TypeAlias = Callable[[], None]


class Effects:
    """
    Effects noted in the open *transaction* of *connection*, run in order once it has been committed.

    A savepoint that is rolled back takes along those noted since it began.
    """

    def __init__(self, connection: sa.Connection, transaction: sa.RootTransaction) -> None:
        self._connection = connection
        self._noted: list[Effect] = []
        #: How many were noted when each open savepoint began.
        self._marks: list[int] = []
        self._listeners: dict[str, Callable[..., None]] = {
            "savepoint": lambda *_: self._marks.append(len(self._noted)),
            "release_savepoint": lambda *_: self._end_savepoint(keep=True),
            "rollback_savepoint": lambda *_: self._end_savepoint(keep=False),
        }
        for name, listener in self._listeners.items():
            event.listen(connection, name, listener)
        transaction.__class__ = _told(type(transaction), self._ended)

    def append(self, effect: Effect) -> None:
        """Notes *effect*."""
        self._noted.append(effect)

    def _end_savepoint(self, *, keep: bool) -> None:
        # A savepoint that we did not see begin is older than all that was noted.
        mark = self._marks.pop() if self._marks else 0
        if not keep:
            del self._noted[mark:]

    def _ended(self, *, committed: bool) -> None:
        noted, self._noted = self._noted, []
        for name, listener in self._listeners.items():
            event.remove(self._connection, name, listener)
        self._listeners = {}
        if committed:
            for effect in noted:
                effect()


def _told(kind: Any, ended: Callable[..., None]) -> Any:
    """A subclass of *kind* with the same layout, for one transaction; to SQLAlchemy it is what it was."""

    def commit(self: Any) -> None:
        kind.commit(self)
        ended(committed=True)

    def rollback(self: Any) -> None:
        kind.rollback(self)
        ended(committed=False)

    def close(self: Any) -> None:
        kind.close(self)
        ended(committed=False)

    return type(
        kind.__name__, (kind,), {"__slots__": (), "commit": commit, "rollback": rollback, "close": close}
    )
