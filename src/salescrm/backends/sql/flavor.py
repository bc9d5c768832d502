"""
What differs between engines, behind one name: how values travel, how a few expressions are spelled, how a change is made.

`compile` asks a flavor for expressions, `store` for behaviour; the three flavors are in modules named after their engines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from salescrm.codegen import Codec
from salescrm.kinds import Kind

__all__ = ["Converter", "Expression", "Flavor", "MakeBind"]

Expression: TypeAlias = ColumnElement[Any]
Converter: TypeAlias = Callable[[Any], Any]
#: Makes a bound parameter out of a slot's value: by type, after the conversion, if any.
MakeBind: TypeAlias = Callable[[TypeEngine[Any], Converter | None], sa.BindParameter[Any]]


class Flavor(ABC):
    """One engine's ways."""

    #: SQLAlchemy's name of the engine, and the drivers whose cursors we know.
    name: ClassVar[str]
    drivers: ClassVar[frozenset[str]]
    #: What opens a transaction that will write.
    begin: ClassVar[str]
    #: What opens one for a stream that reads in several steps.
    begin_reading: ClassVar[tuple[str, ...]] = ()
    write: ClassVar[Codec]
    read: ClassVar[Codec]
    #: How a driver spells a parameter, as SQLAlchemy calls it.
    paramstyle: ClassVar[str]
    #: Whether nulls must be told where to stand in an order.
    explicit_nulls: ClassVar[bool] = False
    #: Whether a locking read must say which of the joined tables it locks.
    names_locked: ClassVar[bool] = False

    def cursor(self, fairy: PoolProxiedConnection, *, is_async: bool) -> Any:
        """A cursor of the driver's on that connection; under asyncio one that waits in the greenlet."""
        return fairy.cursor()

    # Expressions.

    @abstractmethod
    def shown(self, column: sa.Column[Any], kind: Kind) -> Expression:
        """*column* as a row shows it, in the form that `read` takes."""

    @abstractmethod
    def element_of(
        self, value: Expression, type_: TypeEngine[Any], bind: MakeBind, convert: Converter | None
    ) -> Expression:
        """Whether *value* is an element of a slot's tuple of values of *type_*, each through *convert*."""

    @abstractmethod
    def lists(self, texts: Expression, bind: MakeBind) -> Expression:
        """Whether the list of text has the slot's text as an element."""

    @abstractmethod
    def includes(self, value: Expression, text: Expression) -> Expression:
        """Whether the text *value* has *text* inside, by code point."""

    @abstractmethod
    def milliseconds(self, start: Expression, end: Expression, kind: Kind) -> Expression:
        """Whole milliseconds between two moments or two midnights, exactly; *kind* is MOMENT or DAY."""

    @abstractmethod
    def custom(self, column: Expression, key: str, kind: Kind) -> Expression:
        """The custom field *key*, null where it is missing or no *kind*; a moment or day as the text it is kept in."""

    def comparable(self, value: Expression, kind: Kind) -> Expression:
        """*value* as ``min`` and ``max`` take it."""
        return value

    def big_sum(self, value: Expression) -> tuple[Expression, Converter]:
        """The sum of whole numbers, exact however big, and what makes the number of it; slower than ``sum``."""
        return sa.func.sum(value), int

    # Errors.

    @abstractmethod
    def fault(self, error: Exception) -> Exception | None:
        """Our own error for the driver's *error*, by type and code; None where it has no special meaning to us."""

    @abstractmethod
    def is_lost(self, error: Exception) -> bool:
        """Whether *error* means that the connection is gone."""
