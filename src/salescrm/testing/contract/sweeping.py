"""`sweep`: setting values in every record that matches, and writing rows beside each, in one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import attrs
import pytest

from salescrm import meaning
from salescrm.entities import ChangeEntry, Customer, Notice
from salescrm.errors import StoreError
from salescrm.plans import Asked
from salescrm.query import F, Query, Where
from salescrm.sweeps import (
    Changes,
    Constant,
    Fired,
    NewVersion,
    Object,
    RowSource,
    RowTemplate,
    RunningId,
    Was,
)
from salescrm.testing.asking import Asking
from salescrm.testing.clock import START
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Sweeping"]

OWNED: Final = F.owner_id.is_set()
FLAGS: Final[Mapping[str, Where]] = {
    "hot": F.tags.has("hot"),
    'a "quiet" one\\': F.quiet_since.is_set(),
    "😀": F.level != "A",
}
#: What the customers fall into.
POOL: Final[Mapping[str, Any]] = {
    "owner_id": None,
    "pool_id": "north",
    "entered_pool_at": START,
    "quiet_since": None,
    "follow_up_count": 3,
    "tags": ("x", 'y"'),
}


class Sweeping(Contract):
    """`Store.sweep`, which has to do what `change` and `meaning.swept_rows` do."""

    def test_sweeps_what_matches(self, door: Door, make: Maker) -> None:
        """Those that match, and no other; each one's version goes up by one."""
        mine, other = customers(make), make.customer(level="A")
        door.seed(*mine, other)
        asking = door.open()

        assert len(mine) == sweep(asking)
        asking.commit()

        asking = door.open()
        assert asking.own(other) == asking.get(Customer, other.id)
        for before in mine:
            changed = {**POOL, "version": before.version + 1}
            expected = asking.schema(Customer).evolve(asking.own(before), changed)
            assert expected == asking.get(Customer, before.id)

    def test_sweeps_rows_beside(self, door: Door, make: Maker) -> None:
        """One per template and record, as the meaning has them; only the running number is the engine's to choose."""
        mine = customers(make)
        door.seed(*mine)
        asking = door.open()
        rows = templates(asking)
        owned = [asking.own(one) for one in mine]
        expected = meaning.swept_rows(asked(asking), POOL, rows, owned, asking.store.get)

        asking.store.sweep(asked(asking), POOL, rows)
        asking.commit()

        found = door.open()
        for insert in expected:
            kind = insert.schema.record
            assert told(insert.records) == told(found.find(kind))
            prefix = rows[0 if kind is ChangeEntry else 1].columns["id"]
            assert isinstance(prefix, RunningId)
            numbered = [f"{prefix.prefix}-{n:012x}" for n in range(1, len(mine) + 1)]
            assert numbered == found.ids(kind, order=[F.id])

    @pytest.mark.parametrize("limit", [0, 1, 5])
    def test_sweeps_the_first_in_order(self, door: Door, make: Maker, limit: int) -> None:
        """At most the limit, and rows for those alone."""
        mine = customers(make)
        door.seed(*mine)
        expected = sorted(mine, key=lambda one: (-one.version, one.id))[:limit]
        asking = door.open()

        assert limit == sweep(asking, order=(-F.version, F.id), limit=limit)
        asking.commit()

        fallen = set(door.ids(Customer, F.pool_id == "north"))
        assert {one.id for one in expected} == fallen
        assert fallen == {one.record_id for one in door.open().find(ChangeEntry)}

    def test_sweeps_nothing_twice(self, door: Door, make: Maker) -> None:
        """In the same transaction, with the same templates."""
        door.seed(*customers(make))
        asking = door.open()
        rows = templates(asking)

        assert [8, 0] == [asking.store.sweep(asked(asking), POOL, rows) for _ in range(2)]

    def test_sweeps_no_other_tenant(self, door: Door, make: Maker) -> None:
        """Neither changed nor told of."""
        theirs = door.elsewhere()
        theirs.seed(*customers(make))
        asking = door.open()

        assert 0 == sweep(asking)
        asking.commit()

        assert [] == theirs.ids(Customer, F.pool_id == "north")
        assert [] == theirs.ids(ChangeEntry)

    def test_sweeps_all_or_nothing(self, door: Door, make: Maker) -> None:
        """A row without a value that it needs: nothing is changed and nothing written."""
        if not door.can.transactions:
            pytest.skip("nothing can be taken back")
        door.seed(*customers(make))
        asking = door.open()
        good, notice = templates(asking)
        bad = RowTemplate(notice.schema, {**notice.columns, "member_id": Was("pool_id")})

        with pytest.raises(StoreError):
            asking.store.sweep(asked(asking), POOL, (good, bad))
        asking.rollback()

        assert [] == door.ids(Customer, F.pool_id == "north")
        assert [] == door.ids(ChangeEntry)

    def test_sweeps_within_the_transaction(self, door: Door, make: Maker) -> None:
        """Records and rows go together."""
        if not door.can.transactions:
            pytest.skip("nothing can be taken back")
        door.seed(*customers(make))
        asking = door.open()
        sweep(asking)
        asking.rollback()

        assert [] == door.ids(Customer, F.pool_id == "north")
        assert [] == door.ids(Notice)

    def test_sweeps_at_once_take_each_once(self, door: Door, make: Maker) -> None:
        """Eight sweep the same customers: each falls once and has one row of each kind."""
        mine = [make.customer(owner_id="li") for _ in range(48)]
        door.seed(*mine)

        def job() -> int:
            taken = 0
            while True:
                taken += (some := door.persist(lambda asking: sweep(asking, limit=5)))
                if not some and not door.persist(lambda asking: len(asking.ids(Customer, OWNED))):
                    return taken

        assert 48 == sum(door.at_once([job] * 8))
        found = door.open()
        assert {2} == {one.version for one in found.find(Customer)}
        ids = sorted(one.id for one in mine)
        assert ids == sorted(one.record_id for one in found.find(ChangeEntry))
        assert ids == sorted(one.record_id for one in found.find(Notice))


def customers(make: Maker) -> list[Customer]:
    """Eight that have an owner, and differ in what the templates tell of."""
    return [
        make.customer(
            owner_id=("li", 'w"a\\ng', "王\n")[n % 3],
            tags=("hot", 'é"') if n % 2 else (),
            level=(None, "A", "B")[n % 3],
            quiet_since=START if n % 4 else None,
            pool_id="south" if n == 3 else None,
            follow_up_count=n,
            version=n + 1,
        )
        for n in range(8)
    ]


def asked(asking: Asking, *, order: Any = (), limit: int | None = None) -> Asked:
    """All that have an owner, and which flags hold for each."""
    schema = asking.schema(Customer)
    orders = Query(order=tuple(order)).order
    return asking.checker.sweep(schema, OWNED, (*FLAGS.values(),), orders, limit, asking.context)


def sweep(asking: Asking, *, order: Any = (), limit: int | None = None) -> int:
    """Into the pool, with an entry in the log and a notice; how many."""
    return asking.store.sweep(asked(asking, order=order, limit=limit), POOL, templates(asking))


def templates(asking: Asking) -> tuple[RowTemplate, ...]:
    """Rows that have every source in them."""
    prefix = uuid4().hex
    stamps: dict[str, RowSource] = {
        "tenant": Constant(asking.store.tenant),
        "version": Constant(1),
        "created_at": Constant(START),
        "created_by": Constant("job"),
        "updated_at": Constant(START),
        "updated_by": Constant("job"),
        "entity": Constant("customers"),
        "record_id": Was("id"),
    }
    entry: dict[str, RowSource] = {
        "id": RunningId(f"{prefix}-a"),
        "kind": Constant("saved"),
        "record_version": NewVersion(),
        "changes": Changes(),
    }
    fired = Fired((*FLAGS,))
    data: dict[str, RowSource] = {
        "fired": fired,
        "was": Object({"level": Was("level"), "tags": Was("tags"), "quiet": Was("quiet_since")}),
        "count": Was("follow_up_count"),
        "version": NewVersion(),
        "constant": Constant({"a": [1, None, 'é"\\']}),
    }
    notice: dict[str, RowSource] = {
        "id": RunningId(f"{prefix}-b"),
        "member_id": Was("owner_id"),
        "kind": Constant("recycled"),
        "data": Object(data),
        "seen_at": Was("quiet_since"),
    }
    return (
        RowTemplate(asking.schema(ChangeEntry), stamps | entry),
        RowTemplate(asking.schema(Notice), stamps | notice),
    )


def told(records: Any) -> dict[str, Any]:
    """By the record that they tell of, *records* without their ids."""
    return {one.record_id: attrs.evolve(one, id="") for one in records}
