"""
Driver exceptions become salescrm's own, here and nowhere else: by type, code and constraint name, never by their text.

What the codes of one engine mean is known by its flavor; this module turns that into what a caller may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from salescrm.bridge import misplaced
from salescrm.errors import CrmError, Duplicate, EngineError, InvalidQuestion, SchemaOutdated, Transient

if TYPE_CHECKING:
    from salescrm.backends.sql.flavor import Flavor

__all__ = ["Outdated", "Taken", "Translator"]


class Taken(Exception):
    """A unique key is taken: *constraint* where the driver names it. Never leaves this package."""

    def __init__(self, constraint: str | None) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class Outdated(Exception):
    """A table or column may be missing. Never leaves this package."""


class Translator:
    """
    Turns what a driver raised into what a store raises.

    *keys* gives the entity and its unique key by constraint name, *tables* the tables that there must be, *expected* the
    version that they are of.
    """

    def __init__(
        self,
        flavor: Flavor,
        keys: Mapping[str, tuple[str, tuple[str, ...]]],
        tables: frozenset[str],
        *,
        expected: str,
    ) -> None:
        self._flavor = flavor
        self._keys = keys
        self._tables = tables
        self._expected = expected

    def __call__(self, error: Exception, ask: Callable[[str], list[Any]]) -> Exception:
        """The error to raise from *error*, which is itself where it is none of the driver's; *ask* runs a query."""
        if isinstance(error, CrmError | Taken):
            return error
        import sqlalchemy.exc

        if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, Exception):
            error = error.orig
        if isinstance(error, sqlalchemy.exc.MissingGreenlet):
            return misplaced()
        if isinstance(error, sqlalchemy.exc.TimeoutError):
            return Transient("no connection of the pool came free")
        if isinstance(error, UnicodeError | OverflowError):
            return InvalidQuestion("a value in it is none that this engine can hold")
        match self._flavor.fault(error):
            case Taken() as taken:
                if taken.constraint is None:
                    return taken
                known = self._keys.get(taken.constraint)
                return Duplicate(*known) if known else EngineError(f"unique constraint {taken.constraint}")
            case Outdated():
                if self._flavor.name != "sqlite" or self._are_missing(ask):
                    return SchemaOutdated(None, self._expected)
            case Exception() as ours:
                return ours
            case None:
                pass
        return EngineError(_label(error)) if _is_drivers(error) else error

    def _are_missing(self, ask: Callable[[str], list[Any]]) -> bool:
        """SQLite has one code for a missing table and for any other complaint about SQL: so we look."""
        there = {name for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return not self._tables <= there


def _is_drivers(error: Exception) -> bool:
    """PEP 249: each driver's errors derive from its own ``Error``."""
    return any(
        base.__name__ == "Error" and not base.__module__.startswith("builtins")
        for base in type(error).__mro__
    )


def _label(error: Exception) -> str:
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    if code is None:
        with suppress(IndexError):
            code = error.args[0] if isinstance(error.args[0], int) else None
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
