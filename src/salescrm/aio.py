"""
AsyncCrm: the same door for asyncio.

All of salescrm is plain ``def``; ``await acrm.run(function, …)`` runs any function of a Work, ours or the host's, on the
event loop, over aiosqlite, psycopg's async side, asyncmy or PyMongo's AsyncMongoClient.  There are no twin methods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

import attrs

from salescrm import crm
from salescrm.bridge import run_plain, wait
from salescrm.crm import Crm, Work
from salescrm.hooks import Hooks
from salescrm.policy import Policy

__all__ = ["AsyncCrm", "connect"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@attrs.frozen(kw_only=True, eq=False)
class AsyncCrm:
    """
    The CRM of one tenant over an async engine; made by `connect`.

    An async context manager that closes what it opened itself.
    """

    crm: Crm

    @property
    def policy(self) -> Policy:
        """The host's rules as data."""
        return self.crm.policy

    @property
    def hooks(self) -> Hooks:
        """This Crm's plugins; they are called as plain functions."""
        return self.crm.hooks

    def for_tenant(self, tenant: str) -> AsyncCrm:
        """The same Crm, seeing *tenant*'s records only."""
        return AsyncCrm(crm=self.crm.for_tenant(tenant))

    async def run(
        self,
        function: Callable[[Work, *Ts], T],
        *arguments: *Ts,
        by: str,
        key: str | None = None,
        attempts: int = 10,
    ) -> T:
        """
        What *function* returns, run in a unit of work of its own and committed; see `Crm.run`.

        Raises:
            TypeError: *function* is an ``async def``: it waits by itself where it asks the Work, so it is a plain one.
        """

        def plain(work: Work) -> T:
            return _answered(function(work, *arguments))

        return await run_plain(lambda: self.crm.run(plain, by=by, key=key, attempts=attempts))

    async def join(self, handle: object, function: Callable[[Work, *Ts], T], *arguments: *Ts, by: str) -> T:
        """
        What *function* returns, run inside the host's open transaction, which stays the host's to commit.

        *handle* is an AsyncSession, an AsyncConnection, or an AsyncClientSession with a transaction in progress.

        Raises:
            TypeError: As by `run`.
        """

        def inside() -> T:
            with self.crm.join(handle, by=by) as work:
                return _answered(function(work, *arguments))

        return await run_plain(inside)

    async def dispatch(self, *, limit: int = 500) -> int:
        """Delivers due events to the plugins; see `Crm.dispatch`."""
        return await run_plain(lambda: self.crm.dispatch(limit=limit))

    async def migrate(self) -> None:
        """Brings tables and indexes to this version."""
        await run_plain(self.crm.migrate)

    async def verify(self) -> None:
        """Raises SchemaOutdated unless `migrate` has nothing to do."""
        await run_plain(self.crm.verify)

    async def close(self) -> None:
        """Frees what this Crm opened itself."""
        await run_plain(self.crm.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(engine: object, **options: Any) -> AsyncCrm:
    """
    An AsyncCrm over *engine*: the same addresses as `salescrm.connect` takes, a SQLAlchemy AsyncEngine, or a PyMongo
    AsyncMongoClient. An address is opened with aiosqlite, psycopg's async side, asyncmy, or AsyncMongoClient.

    The options are those of `salescrm.connect`.
    """
    return AsyncCrm(crm=crm.connect(engine, asynchronous=True, sleep=_sleep, **options))


def _answered(answer: T) -> T:
    """*answer*, unless it is a coroutine: that would only begin when its transaction is over."""
    if isinstance(answer, Coroutine):
        answer.close()
        raise TypeError("a function of a Work is a plain def, not an async def: it waits by itself")
    return answer


def _sleep(seconds: float) -> None:
    wait(asyncio.sleep(seconds))
