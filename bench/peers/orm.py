"""SQLAlchemy's ORM as a peer: declarative models over the same tables, a Session per unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

from bench.material import MEMBER, PIPELINE, SCHEMAS, TENANT, Fields, Ids
from bench.peers.columns import Writer
from salescrm.kinds import Kind

__all__ = ["OrmPeer", "engine_for", "models"]


def engine_for(url: str) -> sa.Engine:
    """An engine with the settings that everybody has here."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _(connection: Any, record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def models(base: type[Any], dialect: str, key: frozenset[str]) -> dict[str, Any]:
    """A declarative class per table, with the types that this dialect has for each kind."""
    postgres = dialect == "postgresql"
    json = postgresql.JSONB if postgres else sa.JSON
    types: dict[Kind, Any] = {
        Kind.WHOLE: sa.BigInteger,
        Kind.FLAG: sa.Boolean,
        Kind.MOMENT: sa.DateTime(timezone=True),
        Kind.DAY: sa.Date,
        Kind.TEXTS: postgresql.ARRAY(sa.Text) if postgres else sa.JSON,
        Kind.NESTED: json,
        Kind.EXTRA: json,
    }
    made: dict[str, Any] = {}
    for collection in ("customers", "opportunities", "change_log", "events"):
        schema = SCHEMAS[collection]
        body: dict[str, Any] = {"__tablename__": collection, "__module__": __name__}
        for column in schema.columns:
            body[column.name] = mapped_column(
                types.get(column.kind, sa.String), primary_key=column.name in key
            )
        # The versioned row that SQLAlchemy itself offers: UPDATE ... WHERE version = :read.
        body["__mapper_args__"] = {"version_id_col": body["version"]}
        made[collection] = type(schema.name, (base,), body)
    return made


class OrmPeer:
    """A contender through Session."""

    name = "SQLAlchemy ORM"

    def __init__(self, url: str, clock: Callable[[], datetime], ids: Ids) -> None:
        self.engine = engine_for(url)
        self.writer = Writer(clock, ids)
        self.models = self._models()
        self.customer = self.models["customers"]

    def _models(self) -> dict[str, Any]:
        base = type("Base", (DeclarativeBase,), {})
        return models(base, self.engine.dialect.name, frozenset({"tenant", "id"}))

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def _new(self, now: datetime, fields: Fields) -> list[Any]:
        row = self.writer.customer(now, fields)
        entry, event = self.writer.added(now, row), self.writer.created(now, row)
        return [self.customer(**row), self.models["change_log"](**entry), self.models["events"](**event)]

    def create(self, fields: Fields) -> Any:
        made = self._new(self.writer.clock(), fields)
        with self.session() as session, session.begin():
            session.add_all(made)
        return made[0]

    def create_many(self, drafts: Sequence[Fields]) -> None:
        now = self.writer.clock()
        with self.session() as session, session.begin():
            for fields in drafts:
                session.add_all(self._new(now, fields))

    def get(self, id: str) -> Any:
        with self.session() as session:
            return session.get(self.customer, (id, TENANT))

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], Any]]:
        with self.session() as session:
            yield lambda key: session.get(self.customer, (key, TENANT))

    def page_of(self, owner: str, last: Any) -> sa.Select[Any]:
        """The question for the page behind *last*."""
        customer = self.customer
        query = sa.select(customer).where(customer.tenant == TENANT, customer.owner_id == owner)
        if last is not None:
            behind = sa.tuple_(customer.updated_at, customer.id) < sa.tuple_(last.updated_at, last.id)
            query = query.where(behind)
        return query.order_by(customer.updated_at.desc(), customer.id.desc()).limit(50)

    def pages(self, owner: str) -> Iterator[Sequence[Any]]:
        last = None
        while True:
            with self.session() as session:
                page = session.scalars(self.page_of(owner, last)).all()
            if not page:
                return
            yield page
            last = page[-1]

    def edit(self, customer: Any, level: str) -> Any:
        now = self.writer.clock()
        changes = {"level": [customer.level, level]}
        with self.session() as session, session.begin():
            session.add(customer)
            customer.level, customer.updated_at, customer.updated_by = level, now, MEMBER
            entry = self.writer.entry(now, customer.id, "saved", customer.version + 1, changes)
            event = self.writer.event(now, customer.id, "CustomerEdited", {"fields": ["level"]})
            session.add_all([self.models["change_log"](**entry), self.models["events"](**event)])
        return customer

    def funnel(self) -> list[tuple[Any, ...]]:
        deal = self.models["opportunities"]
        keys = (deal.stage, deal.amount_currency)
        query = sa.select(*keys, sa.func.count(), sa.func.sum(deal.amount)).group_by(*keys).order_by(*keys)
        with self.session() as session:
            found = session.execute(query.where(deal.tenant == TENANT, deal.pipeline == PIPELINE))
            return [tuple(row) for row in found]

    def close(self) -> None:
        self.engine.dispose()
