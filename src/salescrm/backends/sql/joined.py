"""A channel into the host's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.pool import PoolProxiedConnection

from salescrm.backends.sql.channels import Channel
from salescrm.backends.sql.effects import Effects
from salescrm.backends.sql.errors import Translator
from salescrm.backends.sql.flavor import Flavor
from salescrm.backends.sql.handles import Lent
from salescrm.errors import WorkEnded

__all__ = ["JoinedChannel"]


class JoinedChannel(Channel):
    """The connection of a host's open transaction: never committed, rolled back or given back here."""

    def __init__(self, flavor: Flavor, translate: Translator, lent: Lent) -> None:
        super().__init__(flavor, translate, is_async=lent.connection.dialect.is_async)
        self._host = lent
        self._effects: Effects | None = None

    def _lent(self) -> PoolProxiedConnection:
        return self._host.connection.connection

    def _at_hand(self) -> Any:
        # Once the host has ended it, the connection may already be somebody else's.
        if not self._host.transaction.is_active:
            raise WorkEnded("the host has ended its transaction")
        return self._cursor or self._open()

    @contextmanager
    def reading(self) -> Iterator[None]:
        yield

    def begin(self) -> None:
        self._at_hand()
        # A Session sends its SAVEPOINT only when somebody asks for the connection.
        self._host.renew()
        driver: Any = self.fairy.driver_connection
        # sqlite3 begins by itself at the first INSERT; what reads first and then writes must have the lock before.
        if self.flavor.name == "sqlite" and not driver.in_transaction:
            self.run(self.flavor.begin)

    def commit(self) -> None:
        """Nothing: the host commits."""

    def rollback(self) -> None:
        """Nothing: the host rolls back."""

    def after_commit(self, effect: Callable[[], None]) -> None:
        self._at_hand()
        self._host.renew()
        if self._effects is None:
            self._effects = Effects(self._host.connection, self._host.transaction)
        self._effects.append(effect)
