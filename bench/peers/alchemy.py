"""advanced-alchemy as a peer: its repositories over its own declarative base, with its defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from advanced_alchemy.base import AdvancedDeclarativeBase, CommonTableAttributes
from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemySyncRepository
from sqlalchemy.orm import Session

from bench.material import MEMBER, TENANT, Fields
from bench.peers.orm import OrmPeer, models

__all__ = ["AlchemyPeer"]


@cache
def _models(dialect: str) -> dict[str, Any]:
    """The models of one dialect, on a base of their own; its classes are known by name for ever."""
    metadata = sa.MetaData()
    body = {"__abstract__": True, "metadata": metadata, "registry": sa.orm.registry(metadata=metadata)}
    base = type("Base", (CommonTableAttributes, AdvancedDeclarativeBase), body)
    return models(base, dialect, frozenset({"id"}))


class AlchemyPeer(OrmPeer):
    """A contender through repositories; what they don't offer (a tally) is done through the Session."""

    name = "advanced-alchemy"

    def _models(self) -> dict[str, Any]:
        made = _models(self.engine.dialect.name)
        self._repositories = {
            name: type(f"{name}_repository", (SQLAlchemySyncRepository,), {"model_type": model})
            for name, model in made.items()
        }
        return made

    def repository(self, session: Session, name: str) -> Any:
        return self._repositories[name](session=session)

    def create(self, fields: Fields) -> Any:
        customer, entry, event = self._new(self.writer.clock(), fields)
        with self.session() as session, session.begin():
            self.repository(session, "customers").add(customer)
            self.repository(session, "change_log").add(entry)
            self.repository(session, "events").add(event)
        return customer

    def create_many(self, drafts: Sequence[Fields]) -> None:
        now = self.writer.clock()
        made = list(zip(*[self._new(now, fields) for fields in drafts], strict=True))
        with self.session() as session, session.begin():
            for name, records in zip(("customers", "change_log", "events"), made, strict=True):
                self.repository(session, name).add_many(list(records))

    def get(self, id: str) -> Any:
        with self.session() as session:
            return self.repository(session, "customers").get(id)

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], Any]]:
        with self.session() as session:
            yield self.repository(session, "customers").get

    def pages(self, owner: str) -> Iterator[Sequence[Any]]:
        customer, last = self.customer, None
        while True:
            wanted = [customer.tenant == TENANT, customer.owner_id == owner]
            if last is not None:
                wanted.append(
                    sa.tuple_(customer.updated_at, customer.id) < sa.tuple_(last.updated_at, last.id)
                )
            with self.session() as session:
                order = [("updated_at", True), ("id", True)]
                repository = self.repository(session, "customers")
                page = repository.list(*wanted, LimitOffset(50, 0), order_by=order)
            if not page:
                return
            yield page
            last = page[-1]

    def edit(self, customer: Any, level: str) -> Any:
        now = self.writer.clock()
        changes = {"level": [customer.level, level]}
        with self.session() as session, session.begin():
            customer.level, customer.updated_at, customer.updated_by = level, now, MEMBER
            saved = self.repository(session, "customers").update(customer)
            entry = self.writer.entry(now, saved.id, "saved", saved.version, changes)
            event = self.writer.event(now, saved.id, "CustomerEdited", {"fields": ["level"]})
            self.repository(session, "change_log").add(self.models["change_log"](**entry))
            self.repository(session, "events").add(self.models["events"](**event))
        return saved
