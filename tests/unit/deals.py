"""Two small entities with a column of every kind, for tests that look inside stores and plans."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from salescrm.kinds import Extra, Key, Kind
from salescrm.plans import Asked, AskedTally, Const, CountIf, FindPlan, Follow, Ref, SortKey, TallyPlan
from salescrm.query.nodes import Operator
from salescrm.schema import Index, Schema, describe
from salescrm.storage import Backend, Store, Write
from salescrm.values import Id, Moment, Money, Region


@attrs.frozen(kw_only=True)
class Firm:
    id: Id
    tenant: Id = Id("t")
    industry: Key | None = None
    extra: Extra = Extra()


@attrs.frozen(kw_only=True)
class Deal:
    id: Id
    tenant: Id = Id("t")
    number: Key | None = None
    name: Key = ""
    stage: Key | None = None
    firm_id: Id | None = None
    amount: Money | None = None
    rate: Decimal | None = None
    region: Region = Region()
    won: bool | None = None
    score: int | None = None
    opened_at: Moment | None = None
    closed_at: Moment | None = None
    since: date | None = None
    until: date | None = None
    tags: tuple[Key, ...] = ()
    extra: Extra = Extra()
    version: int = 1


KINDS: Final = {"due": Kind.DAY, "grade": Kind.TEXT}
FIRMS: Final = describe(Firm, "firms", extra_kinds=KINDS)
DEALS: Final = describe(
    Deal,
    "deals",
    indexes=(
        Index(("number",), unique=True),
        Index(("firm_id", "name"), unique=True),
        Index(("stage", "opened_at")),
        Index(("opened_at",)),
        Index(("won", "stage", "score")),
    ),
    references={"firm_id": "firms"},
    searchable=("name", "stage"),
    extra_kinds=KINDS,
)
NOON: Final = datetime(2026, 3, 15, 12, tzinfo=UTC)
OPERATORS: Final[tuple[Operator, ...]] = ("eq", "ne", "lt", "le", "gt", "ge")
FIRM: Final = Follow("firm", DEALS.by_column["firm_id"], FIRMS)


def ref(name: str, follow: Follow | None = None, key: str | None = None) -> Ref:
    """The column *name*, of the deal or of what it follows to; for extra with the declared kind of *key*."""
    column = (follow.schema if follow else DEALS).by_column[name]
    return Ref(column, follow, key, KINDS[key] if key else column.kind)


def found(schema: Schema, id: str) -> Any | None:
    """The one firm there is."""
    assert schema is FIRMS
    return Firm(id=Id("f1"), industry="retail", extra=Extra(due="2026-04-01")) if id == "f1" else None


def sort_keys(*names: str) -> tuple[SortKey, ...]:
    """Sort keys; a name with a minus in front descends."""
    return tuple(SortKey(DEALS.by_column[name.lstrip("-")], name.startswith("-")) for name in names)


EVERY: Final = FindPlan(DEALS, Const(True), sort_keys("id"))
COUNT: Final = TallyPlan(DEALS, Const(True), (), (CountIf(Const(True)),))


def deal(id: str, **fields: Any) -> Deal:
    """A deal of its own name, so that no unique key is in the way."""
    return Deal(id=Id(id), **({"name": id} | fields))


def ids(store: Store) -> list[str]:
    """The ids of all deals that *store* sees."""
    found = [one.id for one in store.find(Asked(EVERY, []))]
    assert [(len(found),)] == store.tally(AskedTally(COUNT, []))
    return found


def put(backend: Backend, *writes: Write) -> None:
    """Does *writes* in a transaction of their own."""
    store = backend.open("t")
    store.write(*writes)
    store.commit()
