"""What the white-box tests of the MongoDB backend share: a client that notes its commands, stores, fail points."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
from pymongo import MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from salescrm.backends.mongo import MongoBackend
from salescrm.checking import Checker, Context
from salescrm.checking.cursors import Cursors
from salescrm.schema import Schema
from salescrm.testing.asking import Asking, contract_schemas
from salescrm.testing.clock import START

Client = MongoClient[dict[str, Any]]

#: Where a plan names what it reads first.
_INPUTS: Final = ("inputStage", "inputStages", "shards")


class Notes(CommandListener):
    """The commands that were sent, in their order; talk between driver and server about themselves is left out."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append({"name": event.command_name, **event.command})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""

    @property
    def names(self) -> list[str]:
        return [
            command["name"] for command in self.commands if command["name"] not in {"hello", "endSessions"}
        ]


@attrs.frozen(eq=False)
class Lab:
    """A migrated backend on a client of the test's own, and stores on it."""

    client: Client
    notes: Notes
    backend: MongoBackend
    schemas: Mapping[str, Schema]
    checker: Checker

    def open(self, tenant: str = "t") -> Asking:
        """A store in a transaction of its own."""
        return self.asking(self.backend.open(tenant))

    def asking(self, store: Any) -> Asking:
        """*store*, asked in questions."""
        return Asking(store, self.schemas, self.checker, Context(START, ZoneInfo("Asia/Shanghai")))

    def raw(self, collection: str) -> list[dict[str, Any]]:
        """What is stored, as the driver gives it."""
        return self.client.get_default_database()[collection].find().sort("_id").to_list()

    def plan(self) -> list[str]:
        """The stages of the server's plan for the last find that was sent."""
        sent = next(one for one in reversed(self.notes.commands) if one["name"] == "find")
        asked = {name: sent[name] for name in ("find", "filter", "sort", "limit") if name in sent}
        explained = self.client.get_default_database().command("explain", asked, verbosity="queryPlanner")
        return list(_stages(explained["queryPlanner"]["winningPlan"]))

    @contextmanager
    def failing(self, command: str, *, times: int | None = None, **how: Any) -> Iterator[None]:
        """While open, the server's next *times* (or all) *command* fail as *how* says."""
        mode: Any = "alwaysOn" if times is None else {"times": times}
        point = {"configureFailPoint": "failCommand", "data": {"failCommands": [command], **how}}
        self.client.admin.command({**point, "mode": mode})
        try:
            yield
        finally:
            self.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for name in _INPUTS:
        inputs = plan.get(name, ())
        for one in [inputs] if isinstance(inputs, Mapping) else inputs:
            yield from _stages(one)


@contextmanager
def open_lab(url: str, schemas: Sequence[Schema] | None = None, **options: Any) -> Iterator[Lab]:
    """A lab on the empty database at *url*, for the catalog's schemas or those given."""
    by_collection = contract_schemas() if schemas is None else {one.collection: one for one in schemas}
    notes = Notes()
    with Client(url, event_listeners=[notes], heartbeatFrequencyMS=500, **options) as client:
        backend = MongoBackend(client, tuple(by_collection.values()), random=_even(url))
        backend.migrate()
        notes.commands.clear()
        yield Lab(client, notes, backend, by_collection, Checker(by_collection, Cursors()))


def _even(seed: str) -> Any:
    """Numbers from 0 up to 1, spread evenly, the same for one *seed*; threads may share it."""
    state = [zlib.crc32(seed.encode())]

    def step() -> float:
        state[0] = (state[0] * 1_103_515_245 + 12_345) % 2**31
        return state[0] / 2**31

    return step
