"""What is committed, and one transaction on it: who may write, what nobody else sees yet, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from salescrm.backends.memory.routes import Route, route
from salescrm.backends.memory.table import Overlay, Table, unique_keys
from salescrm.errors import Transient, WorkEnded
from salescrm.plans import FindPlan, TallyPlan
from salescrm.schema import Schema

__all__ = ["Committed", "Transaction"]


class Committed:
    """
    The committed records of every tenant.

    Attributes:
        writing: Held by the transaction that writes, from its first write until it ends.
        mutex: Held for the moment of one read, or of applying a commit, so that no read sees half of one.
    """

    def __init__(self, lock_timeout: float) -> None:
        self.lock_timeout: Final = lock_timeout
        self.writing: Final = Lock()
        self.mutex: Final = Lock()
        self._tables: Final[dict[str, dict[str, Table]]] = {}
        # As long as the plan itself is kept by whoever made it.
        self._routes: Final[WeakKeyDictionary[FindPlan | TallyPlan, Route]] = WeakKeyDictionary()

    def table(self, tenant: str, schema: Schema) -> Table:
        """The records of *tenant* in the collection of *schema*."""
        tables = self._tables.get(tenant)
        if tables is None:
            tables = self._tables.setdefault(tenant, {})
        table = tables.get(schema.collection)
        if table is None:
            # Two threads may make one at once; setdefault keeps the first.
            table = tables.setdefault(schema.collection, Table(unique_keys(schema)))
        return table

    def route(self, plan: FindPlan | TallyPlan) -> Route:
        """How *plan* is answered; call it under the mutex."""
        made = self._routes.get(plan)
        if made is None:
            if isinstance(plan, FindPlan):
                made = route(plan.schema, plan.where, plan.order, limited=plan.limit_slot is not None)
            else:
                made = route(plan.schema, plan.where)
            self._routes[plan] = made
        return made


class Transaction:
    """
    One transaction, which several stores may share.

    Attributes:
        overlays: What it has written, by tenant and collection.
        effects: What is to happen once it is committed.
    """

    __slots__ = ("_ended", "_writing", "committed", "effects", "overlays")

    def __init__(self, committed: Committed) -> None:
        self.committed = committed
        self.overlays: dict[str, dict[str, Overlay]] = {}
        self.effects: list[Callable[[], None]] = []
        self._writing = False
        self._ended: str | None = None

    def check(self) -> None:
        """
        Nothing, if the transaction goes on.

        Raises:
            WorkEnded: It was committed or rolled back, or a write failed.
        """
        if self._ended is not None:
            raise WorkEnded(self._ended)

    def write(self) -> None:
        """
        Makes this transaction the one that writes.

        Raises:
            Transient: Another has been writing for longer than the lock timeout.
            WorkEnded: As `check`.
        """
        self.check()
        if self._writing:
            return
        timeout = self.committed.lock_timeout
        if not self.committed.writing.acquire(timeout=timeout):
            self.fail()
            raise Transient(f"another transaction has been writing for more than {timeout} s")
        self._writing = True

    def fail(self) -> None:
        """After a write that raised: nothing but a rollback is allowed."""
        self._ended = "a write failed"

    def commit(self) -> None:
        """
        What was written is there for all; then the effects happen.

        Raises:
            WorkEnded: As `check`.
        """
        self.check()
        try:
            if self._writing:
                with self.committed.mutex:
                    for overlays in self.overlays.values():
                        for overlay in overlays.values():
                            overlay.apply()
        finally:
            self._end("it was committed")
        for effect in self.effects:
            effect()

    def rollback(self) -> None:
        """What was written is gone; nothing to do after the end."""
        if self._ended is None or self._writing:
            self._end("it was rolled back")

    def _end(self, how: str) -> None:
        self._ended = how
        self.overlays = {}
        if self._writing:
            self._writing = False
            self.committed.writing.release()
