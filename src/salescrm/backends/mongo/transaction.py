"""One transaction on MongoDB: when it begins, how it ends, and what waits for that; what is written is not its matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from salescrm.backends.mongo.driver import Driver
from salescrm.errors import Misconfigured, WorkEnded
from salescrm.schema import Schema

__all__ = ["Transaction"]


class Transaction:
    """
    Begun by `begin`, where the server has transactions; with *session*, the host's, which is never ended here.

    Attributes:
        session: The driver's session while a transaction is open; what is done before runs outside any.
    """

    def __init__(self, driver: Driver, session: Any = None) -> None:
        self.driver = driver
        self.session = session
        self._hosts = session is not None
        self._effects: list[Callable[[], None]] = []

    def do(self, schema: Schema, method: str, *arguments: Any, **options: Any) -> Any:
        """
        What the driver's *method* on the collection of *schema* returns, inside the transaction if it has begun.

        Raises:
            WorkEnded: The host has ended its transaction.
        """
        self._still_open()
        options.setdefault("session", self.session)
        collection = self.driver.collection(schema.collection)
        return self.driver.call(schema.name, getattr(collection, method), *arguments, **options)

    def all(self, schema: Schema, cursor: Any) -> list[dict[str, Any]]:
        """Every document that the driver's *cursor* still has."""
        documents: list[dict[str, Any]] = self.driver.call(schema.name, cursor.to_list)
        return documents

    def begin(self) -> bool:
        """Opens the transaction, if the server has transactions and it is not open yet; whether it was opened now."""
        if self.session is not None or not self.driver.transactions:
            return False
        self.session = self.driver.begin()
        return True

    def commit(self) -> None:
        """Ends ours with what was written kept; then the effects happen. Does nothing to the host's."""
        if self._hosts:
            return
        if self.session is not None:
            self.driver.commit(self.session)
            self._end()
        self._happen()

    def rollback(self) -> None:
        """Ends ours with what was written gone, where the server has transactions. Does nothing to the host's."""
        if self._hosts:
            return
        self._effects.clear()
        self._end()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Keeps *effect* until `commit`, or for a host's transaction until `host_committed`."""
        self._still_open()
        self._effects.append(effect)

    def host_committed(self) -> None:
        """The effects of the host's transaction happen now.

        Raises:
            Misconfigured: The transaction is ours, or still open.
        """
        if not self._hosts:
            raise Misconfigured("this store has a transaction of its own", "call commit()")
        if self.session.in_transaction:
            raise Misconfigured("the host's transaction is still open", "commit it first")
        self._happen()

    def restart(self) -> None:
        """Gives up ours, in which nothing was written yet, and begins another."""
        self._end()
        self.begin()

    def _still_open(self) -> None:
        # Outside its transaction the driver would take the session all the same, and write at once and for good.
        if self._hosts and not self.session.in_transaction:
            raise WorkEnded("the host has ended its transaction")

    def _end(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self.driver.end(session)

    def _happen(self) -> None:
        effects, self._effects = self._effects, []
        for effect in effects:
            effect()
