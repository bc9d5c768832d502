"""
What the parts of the contract share: a door to the backend under test, and the colour in which tests run.

The promises themselves are in the modules beside this one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import attrs
import pytest

from salescrm.bridge import run_plain, wait
from salescrm.checking import Checker, Context
from salescrm.entities import Record
from salescrm.errors import Transient
from salescrm.schema import Schema
from salescrm.storage import Backend, Capabilities
from salescrm.testing.asking import Asking
from salescrm.testing.clock import START
from salescrm.testing.makers import Maker

__all__ = ["Colour", "Contract", "Door", "Run", "running"]

T = TypeVar("T")

Colour: TypeAlias = Literal["sync", "async"]


class Run(Protocol):
    """Calls a plain function where the backend can be used: here, or under an event loop."""

    def __call__(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T: ...


@attrs.define(eq=False)
class Door:
    """
    The way into one backend, for one test: stores of the test's own tenant, or of others.

    Attributes:
        tenant: Nobody else's; two tests on one backend never meet.
    """

    backend: Backend
    schemas: Mapping[str, Schema] = attrs.field(repr=False)
    checker: Checker = attrs.field(repr=False)
    colour: Colour
    tenant: str = attrs.field(factory=lambda: f"t{uuid4().hex[:12]}")
    context: Context = Context(START, ZoneInfo("Asia/Shanghai"))  # noqa: RUF009  # frozen
    _opened: list[Asking] = attrs.field(factory=list, repr=False)

    @property
    def can(self) -> Capabilities:
        """What the backend says it can do."""
        return self.backend.capabilities

    def elsewhere(self) -> Door:
        """A door to another tenant, whose name starts with this one's."""
        return attrs.evolve(self, tenant=f"{self.tenant}-{uuid4().hex[:6]}")

    def open(self) -> Asking:
        """A store in a transaction of its own, rolled back at the end of the test unless it was committed."""
        asking = Asking(self.backend.open(self.tenant), self.schemas, self.checker, self.context)
        self._opened.append(asking)
        return asking

    def seed(self, *records: Record) -> None:
        """*records*, written and committed."""
        asking = self.open()
        asking.add(*records)
        asking.commit()

    def ids(self, entity: type[Record], *where: Any) -> list[str]:
        """The ids of all committed records of that kind, as a new store finds them."""
        asking = self.open()
        found = asking.ids(entity, *where)
        asking.rollback()
        return found

    def persist(self, attempt: Callable[[Asking], T]) -> T:
        """What *attempt* makes of a new store, committed; all of it again as long as the engine asks for another try."""
        for _ in range(1000):
            asking = Asking(self.backend.open(self.tenant), self.schemas, self.checker, self.context)
            try:
                result = attempt(asking)
                asking.commit()
            except Transient:
                asking.rollback()
            except BaseException:
                asking.rollback()
                raise
            else:
                return result
        raise AssertionError("the engine asked for another try a thousand times")

    def at_once(self, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """What *jobs* return, all started at the same moment: in threads, or as tasks of the one event loop."""
        if self.colour == "async":

            async def all_jobs() -> list[T]:
                return list(await asyncio.gather(*[run_plain(job) for job in jobs]))

            return wait(all_jobs())
        start = threading.Barrier(len(jobs))

        def started(job: Callable[[], T]) -> T:
            start.wait(30)
            return job()

        with ThreadPoolExecutor(len(jobs)) as pool:
            return list(pool.map(started, jobs))

    def pause(self, seconds: float) -> None:
        """Lets the others go on for so long."""
        if self.colour == "async":
            wait(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    def close(self) -> None:
        """Rolls back what is still open."""
        while self._opened:
            self._opened.pop().rollback()


class Contract:
    """
    A part of the contract; a backend's tests inherit it and give one fixture, ``backend``.

    The fixture yields a migrated `Backend` for the fixture ``salescrm_schemas`` and closes it; every test works in a
    tenant of its own, so ``scope="class"`` is safe. For a backend over asyncio set ``colour = "async"``, and make and
    close it through the fixture ``salescrm_run``: fixture and tests then share one event loop.
    """

    colour: ClassVar[Colour] = "sync"

    @pytest.fixture
    def door(
        self,
        backend: Backend,
        salescrm_schemas: Mapping[str, Schema],
        salescrm_checker: Checker,
        salescrm_run: Run,
    ) -> Iterator[Door]:
        """The backend under test, with a tenant of this test's own."""
        door = Door(backend, salescrm_schemas, salescrm_checker, self.colour)
        yield door
        salescrm_run(door.close)

    @pytest.fixture
    def make(self) -> Maker:
        """A maker whose records are the same in each run."""
        return Maker()


@contextmanager
def running(colour: Colour) -> Iterator[Run]:
    """What calls plain functions in that colour: as they are, or each of them on one and the same event loop."""

    def plainly(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    if colour == "sync":
        yield plainly
        return
    with asyncio.Runner() as runner:

        def on_the_loop(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
            return runner.run(run_plain(function, *args, **kwargs))

        yield on_the_loop
