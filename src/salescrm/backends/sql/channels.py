"""
Where SQL goes to and rows come from: one driver connection, of our own pool or of the host's open transaction.

Statements run on the driver's cursor, which costs nothing beyond the driver; SQLAlchemy lends the connection. Under
asyncio the cursor is SQLAlchemy's adapter, which looks the same and waits in the greenlet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, NoReturn, cast

import attrs
from sqlalchemy.pool import PoolProxiedConnection

from salescrm.backends.sql.errors import Translator
from salescrm.backends.sql.flavor import Flavor
from salescrm.backends.sql.lending import Lender
from salescrm.errors import Transient

__all__ = ["Channel", "OwnChannel", "Patience"]

#: Under this name the cursor that we reuse is kept with its connection: a new one per statement costs psycopg 8 to 20 µs.
_CURSOR: Final = "salescrm.cursor"
#: How often a writer asks SQLite for its turn; each time it waits for as long as the connection's busy timeout.
_TURNS: Final = 6


@attrs.frozen
class Patience:
    """How to wait for a turn: *sleep* some seconds, *random* between 0 and 1."""

    sleep: Callable[[float], None]
    random: Callable[[], float]


class Channel(ABC):
    """One connection, from the first use until the transaction ends."""

    def __init__(self, flavor: Flavor, translate: Translator, *, is_async: bool) -> None:
        self.flavor = flavor
        self.is_async = is_async
        self._translate = translate
        self._cursor: Any = None
        self._fairy: PoolProxiedConnection | None = None
        #: What happened means that the connection may not be used again.
        self._spoilt = False
        self._streams: list[Any] = []

    # Running.

    def rows(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        """All rows."""
        try:
            cursor = self._at_hand()
            cursor.execute(text, parameters)
            return cursor.fetchall()  # type: ignore[no-any-return]  # the driver's rows
        except BaseException as error:  # noqa: BLE001 - told apart there
            self._raise(error)

    def count(self, text: str, parameters: Sequence[Any]) -> int:
        """How many records were met."""
        try:
            cursor = self._at_hand()
            cursor.execute(text, parameters)
            return cursor.rowcount  # type: ignore[no-any-return]  # the driver's number
        except BaseException as error:  # noqa: BLE001 - told apart there
            self._raise(error)

    def many(self, text: str, rows: Iterable[Sequence[Any]]) -> None:
        """Runs *text* once for each of *rows*, by whatever the driver has for that."""
        try:
            cursor = self._at_hand()
            cursor.executemany(text, rows if isinstance(rows, list) else list(rows))
        except BaseException as error:  # noqa: BLE001 - told apart there
            self._raise(error)

    def run(self, text: str) -> None:
        """Runs *text*, which has no parameters and gives nothing."""
        try:
            self._at_hand().execute(text)
        except BaseException as error:  # noqa: BLE001 - told apart there
            self._raise(error)

    def guard(self, work: Callable[[], None]) -> None:
        """Does *work* on the driver's connection with its errors translated."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told apart there
            self._raise(error)

    def lists(self, text: str, parameters: Sequence[Any], size: int) -> Iterator[list[Any]]:
        """Rows in lists of *size*, as the driver fetches them, on a cursor of its own."""
        cursor = self._driver_cursor()
        self._streams.append(cursor)
        try:
            cursor.execute(text, parameters)
            while rows := cursor.fetchmany(size):
                yield rows
        except Exception as error:  # noqa: BLE001 - told apart there
            self._raise(error)
        finally:
            if cursor in self._streams:
                self._streams.remove(cursor)
                cursor.close()

    def _driver_cursor(self) -> Any:
        connection: Any = self.fairy.dbapi_connection
        # Under asyncio only a "server side" cursor does not fetch everything at once.
        return connection.cursor(server_side=True) if self.is_async else connection.cursor()

    @property
    def fairy(self) -> PoolProxiedConnection:
        """SQLAlchemy's hold of the driver's connection, opened if need be."""
        if self._fairy is None:
            self._open()
        return cast(PoolProxiedConnection, self._fairy)  # _open has just put it there

    @abstractmethod
    def _lent(self) -> PoolProxiedConnection: ...

    def _at_hand(self) -> Any:
        """The cursor."""
        return self._cursor or self._open()

    def _open(self) -> Any:
        fairy = self._fairy = self._lent()
        info: dict[str, Any] = fairy.info
        cursor = info.get(_CURSOR)
        if cursor is None:
            cursor = info[_CURSOR] = self.flavor.cursor(fairy, is_async=self.is_async)
        self._cursor = cursor
        return cursor

    def _raise(self, error: BaseException) -> NoReturn:
        """Raises what *error* means to a caller."""
        if not isinstance(error, Exception):
            # Cancelled or interrupted: what the driver was doing may still be going on.
            self._spoilt = True
            raise error
        if self.flavor.is_lost(error):
            self._spoilt = True
        ours = self._translate(error, self._ask)
        if ours is error:
            raise error
        raise ours from error

    def _ask(self, text: str) -> list[Any]:
        self._cursor.execute(text)
        return self._cursor.fetchall()  # type: ignore[no-any-return]  # the driver's rows

    # The transaction.

    @abstractmethod
    def begin(self) -> None:
        """Before each write: sees to it that a transaction is open."""

    @abstractmethod
    def commit(self) -> None:
        """Ends what is ours to end."""

    @abstractmethod
    def rollback(self) -> None:
        """Takes back what is ours to take back."""

    @abstractmethod
    def after_commit(self, effect: Callable[[], None]) -> None:
        """Runs *effect* after the commit, whoever commits."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """A transaction that a server-side cursor can live in: the open one, or one that ends here."""


class OwnChannel(Channel):
    """
    A connection of a pool, in autocommit: BEGIN, COMMIT and ROLLBACK are ours.

    Single reads then need no transaction, which on a server saves two of three round trips.
    """

    def __init__(
        self, flavor: Flavor, translate: Translator, lender: Lender, patience: Patience, *, is_async: bool
    ) -> None:
        super().__init__(flavor, translate, is_async=is_async)
        self._lender = lender
        self._patience = patience
        self._give_back: Callable[[PoolProxiedConnection], None] | None = None
        #: Stands for the transaction that is open, if one is.
        self._transaction: object | None = None
        #: Whether it is there to be written in, and how many streams read in it.
        self._writing = False
        self._readers = 0
        self._effects: list[Callable[[], None]] = []

    def _lent(self) -> PoolProxiedConnection:
        fairy, self._give_back = self._lender.lend()
        return fairy

    @contextmanager
    def reading(self) -> Iterator[None]:
        if self._transaction is None:
            for text in self.flavor.begin_reading:
                self.run(text)
            self._transaction = object()
        transaction = self._transaction
        self._readers += 1
        try:
            yield
        finally:
            # A stream that was left behind may be closed long after its transaction.
            if self._transaction is transaction:
                self._readers -= 1
                if not self._readers and not self._writing and not self._spoilt:
                    # psycopg forgets what it has prepared after a ROLLBACK, not after a COMMIT.
                    self.run("COMMIT")
                    self._transaction = None

    def begin(self) -> None:
        if self._transaction is None:
            self._begin()
            self._transaction = object()
        self._writing = True

    def _begin(self) -> None:
        turns = _TURNS if self.flavor.name == "sqlite" else 1
        for turn in range(turns):
            try:
                self.run(self.flavor.begin)
                return
            except Transient:
                # SQLite has one writer at a time, and its own waiting gets no fairer the longer it lasts.
                if self._spoilt or turn == turns - 1:
                    raise
                self._patience.sleep(0.001 + 0.02 * self._patience.random())

    def commit(self) -> None:
        if self._transaction is not None:
            try:
                self.run("COMMIT")
            except Transient as lost:
                if self._spoilt and self._writing:
                    # The server may have committed before the way back broke.
                    raise Transient(lost.reason, outcome_unknown=True) from lost
                raise
        self._release()
        effects, self._effects = self._effects, []
        for effect in effects:
            effect()

    def rollback(self) -> None:
        self._effects.clear()
        if self._transaction is not None and not self._spoilt:
            try:
                self._cursor.execute("ROLLBACK" if self._writing else "COMMIT")
            except Exception:  # noqa: BLE001 - whatever it is, the connection is given up and the server rolls back
                self._spoilt = True
        self._release()

    def after_commit(self, effect: Callable[[], None]) -> None:
        self._effects.append(effect)

    def _release(self) -> None:
        self._transaction, self._writing, self._readers = None, False, 0
        fairy, self._fairy, self._cursor = self._fairy, None, None
        if fairy is None or self._give_back is None:
            return
        while self._streams:
            # A half-read SELECT would hold SQLite's snapshot for whoever gets the connection next.
            with suppress(Exception):  # as below
                self._streams.pop().close()
        if self._spoilt:
            with suppress(Exception):  # it is broken; closing it may fail
                fairy.invalidate()
            self._lender.lost()
            self._spoilt = False
        self._give_back(fairy)
