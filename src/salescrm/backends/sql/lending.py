"""Where an own transaction's connection comes from: our engine's, kept at hand, or a host's, switched to autocommit."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["HostLender", "Lender", "OwnLender"]

#: Fewer than the pool may give out, so that whoever else uses the engine finds some there.
_AT_HAND: Final = 5


class Lender(ABC):
    """Lends connections in autocommit."""

    @abstractmethod
    def lend(self) -> tuple[PoolProxiedConnection, Callable[[PoolProxiedConnection], None]]:
        """A connection, and what gives it back."""

    @abstractmethod
    def lost(self) -> None:
        """A connection broke: others in the pool may be as old."""

    @abstractmethod
    def close(self) -> None:
        """Closes what is ours."""


class OwnLender(Lender):
    """
    Connections of our own engine, as they are.

    A few are kept at hand when they come back: SQLAlchemy's way out of and into the pool takes 10 µs, as much as SQLite
    needs to read a record.  The pool still makes them, counts them, and is where one waits when all are out.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._idle: deque[PoolProxiedConnection] = deque()
        #: One token for each who may be waiting in the pool. A deque, for its append and pop are atomic.
        self._waiting: deque[None] = deque()
        self._process = os.getpid()
        #: A parent process's connections: never used here and never closed, which would end them for the parent.
        self._inherited: list[deque[PoolProxiedConnection]] = []

    def lend(self) -> tuple[PoolProxiedConnection, Callable[[PoolProxiedConnection], None]]:
        if self._process != os.getpid():
            self._inherited.append(self._idle)
            self._idle, self._process = deque(), os.getpid()
        try:
            return self._idle.pop(), self._take_back
        except IndexError:
            pass
        self._waiting.append(None)
        try:
            # Once more: who gave one back before our token was there has left it here, who does so later sees it.
            with suppress(IndexError):
                return self._idle.pop(), self._take_back
            return self._engine.raw_connection(), self._take_back
        finally:
            self._waiting.pop()

    def _take_back(self, fairy: PoolProxiedConnection) -> None:
        if not fairy.is_valid or len(self._idle) >= _AT_HAND:
            fairy.close()
            return
        self._idle.append(fairy)
        if self._waiting:
            with suppress(IndexError):
                self._idle.pop().close()

    def lost(self) -> None:
        # A server that went away took all of its connections along.
        while self._idle:
            with suppress(IndexError):
                fairy = self._idle.pop()
                fairy.invalidate()
                fairy.close()
        self._engine.dispose()

    def close(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()
        self._engine.dispose()


class HostLender(Lender):
    """Connections of a host's engine, switched to autocommit for as long as we have them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def lend(self) -> tuple[PoolProxiedConnection, Callable[[PoolProxiedConnection], None]]:
        connection = self._engine.connect()
        return connection.connection, lambda _: connection.close()

    def lost(self) -> None:
        """The host's pool is the host's."""

    def close(self) -> None:
        """As is the host's engine."""
