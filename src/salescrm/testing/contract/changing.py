"""`change`: setting values in every record that matches, in one go."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from salescrm.entities import Customer, FollowUp, Opportunity, OutboxEvent
from salescrm.errors import StaleWrite
from salescrm.query import EVERYTHING, F
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Changing"]


class Changing(Contract):
    """`Store.change`, one caller at a time; `racing` has many."""

    def test_sets_what_matches(self, door: Door, make: Maker) -> None:
        """Those that match, and no other; each one's version goes up by one."""
        mine = [make.customer(owner_id="li", level="A", version=n + 1) for n in range(3)]
        other = make.customer(owner_id="wang", level="A")
        door.seed(*mine, other)
        asking = door.open()

        asking.change(Customer, F.owner_id == "li", {"owner_id": "zhao", "pool_id": "north"})
        asking.commit()

        asking = door.open()
        assert asking.own(other) == asking.get(Customer, other.id)
        for before in mine:
            after = asking.get(Customer, before.id)
            assert after is not None
            changed = {"owner_id": "zhao", "pool_id": "north", "version": before.version + 1}
            assert asking.schema(Customer).evolve(asking.own(before), changed) == after

    def test_returns_records_as_they_were(self, door: Door, make: Maker) -> None:
        """All that was changed, each as before, in no order."""
        customers = [make.customer(owner_id="li", tags=("x",)) for _ in range(5)]
        door.seed(*customers, make.customer())
        asking = door.open()

        before = asking.change(Customer, F.owner_id == "li", {"owner_id": None})

        assert sorted((asking.own(one) for one in customers), key=lambda one: one.id) == sorted(
            before, key=lambda one: one.id
        )
        assert [] == asking.ids(Customer, F.owner_id == "li")

    def test_returns_what_a_plan_projects(self, door: Door, make: Maker) -> None:
        """Of what was changed just those columns, the id first, as they were."""
        customers = [make.customer(owner_id="li", level=level, version=3) for level in ("A", "B", None)]
        door.seed(*customers, make.customer())
        asking = door.open()

        before = asking.change_some(Customer, F.owner_id == "li", {"level": "C"}, F.version, F.level)
        asking.commit()

        assert sorted((one.id, 3, one.level) for one in customers) == sorted(before)
        assert {one.id for one in customers} == set(door.ids(Customer, (F.level == "C") & (F.version == 4)))

    @pytest.mark.parametrize("limit", [0, 1, 3, 7, 8])
    def test_takes_the_first_in_order(self, door: Door, make: Maker, limit: int) -> None:
        """At most the limit, from the front of the plan's order; none for 0."""
        customers = [make.customer(level="AB"[n % 2], follow_up_count=n * 5 % 7) for n in range(7)]
        door.seed(*customers)
        expected = sorted(customers, key=lambda one: (one.level, -one.follow_up_count))[:limit]
        asking = door.open()

        before = asking.change(
            Customer, EVERYTHING, {"owner_id": "li"}, order=(F.level, -F.follow_up_count, F.id), limit=limit
        )
        asking.commit()

        assert {one.id for one in expected} == {one.id for one in before}
        assert {one.id for one in expected} == set(door.ids(Customer, F.owner_id == "li"))

    def test_of_nothing(self, door: Door, make: Maker) -> None:
        """Nothing matches: nothing is changed and nothing returned."""
        customer = make.customer()
        door.seed(customer)
        asking = door.open()

        assert [] == asking.change(Customer, F.owner_id == "li", {"level": "A"})
        assert [] == asking.change(Opportunity, EVERYTHING, {"stage": "won"})
        asking.commit()

        assert [1] == [one.version for one in door.open().find(Customer)]

    def test_finds_only_once(self, door: Door, make: Maker) -> None:
        """What no longer matches is not found by the next call of the same transaction."""
        door.seed(*[make.customer() for _ in range(5)])
        asking = door.open()
        free, mine = F.owner_id.is_null(), {"owner_id": "li"}

        counts = [len(asking.change(Customer, free, mine, limit=2)) for _ in range(4)]

        assert [2, 2, 1, 0] == counts
        assert 5 == len(asking.ids(Customer, F.owner_id == "li"))

    def test_sees_own_writes(self, door: Door, make: Maker) -> None:
        """A record that this store wrote is changed too, and saved from there."""
        asking, customer = door.open(), make.customer()
        asking.add(customer)
        assert [asking.own(customer)] == asking.change(Customer, EVERYTHING, {"level": "A"})
        changed = asking.get(Customer, customer.id)
        assert changed is not None
        saved = asking.save(changed, level="B")
        asking.commit()

        assert [("B", 3)] == [(one.level, one.version) for one in door.open().find(Customer)]
        assert 3 == saved.version

    @pytest.mark.parametrize(
        "entity, values",
        [
            (Customer, {"level": None}),
            (Customer, {"level": "😀 ' \" $x \\"}),
            (Customer, {"follow_up_count": 2**53 - 1}),
            (Customer, {"last_follow_up_at": datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)}),
            (Customer, {"last_follow_up_at": None, "purchase_deadline": date(1000, 1, 1)}),
            (Customer, {"tags": ("a", "$b")}),
            (Customer, {"tags": ()}),
            (FollowUp, {"effective": False, "status": "done"}),
            (FollowUp, {"effective": None}),
            (OutboxEvent, {"status": "delivered", "attempts": 7, "lease": None}),
        ],
        ids=repr,
    )
    def test_sets_values_of_each_kind(
        self, door: Door, make: Maker, entity: Any, values: dict[str, Any]
    ) -> None:
        """What was set is what is read, also where it was null before or becomes so."""
        event = OutboxEvent(
            id=make.id(), name="X", entity="Customer", record_id=make.id(), data={}, due_at=make.customer().created_at
        )  # fmt: skip
        full = make.customer(level="A", tags=("x",), last_follow_up_at=make.customer().created_at)
        records = [make.customer(), full, make.follow_up(effective=True), make.follow_up(), event]
        door.seed(*records)
        asking = door.open()

        before = asking.change(entity, EVERYTHING, values)
        asking.commit()

        asking = door.open()
        expected = [
            asking.schema(entity).evolve(one, {**values, "version": one.version + 1}) for one in before
        ]
        assert sorted(expected, key=lambda one: one.id) == asking.find(entity)

    def test_across_a_hop(self, door: Door, make: Maker) -> None:
        """The condition may follow a reference."""
        it, other = make.customer(industry="IT"), make.customer()
        deals = [make.opportunity(customer_id=id) for id in (it.id, other.id, None, it.id)]
        door.seed(it, other, *deals)
        asking = door.open()

        before = asking.change(Opportunity, F.customer.industry == "IT", {"level": "A"})
        asking.commit()

        assert {deals[0].id, deals[3].id} == {one.id for one in before}
        assert {deals[0].id, deals[3].id} == set(door.ids(Opportunity, F.level == "A"))

    @pytest.mark.parametrize("count", [1, 2, 3, 60])
    def test_with_what_goes_beside_all_of_them(self, door: Door, make: Maker, count: int) -> None:
        """What goes beside a change of as many as were asked for is there, each record of it as it was given."""
        door.seed(*[make.customer(owner_id="li") for _ in range(count)], make.customer())
        tasks, deals = zip(*[(make.follow_up(), make.opportunity()) for _ in range(count)], strict=True)
        asking = door.open()

        before = asking.change(
            Customer, F.owner_id == "li", {"owner_id": None}, limit=count, beside=(*tasks, *deals)
        )
        asking.commit()

        asking = door.open()
        assert count == len(before)
        assert sorted(map(asking.own, tasks), key=lambda one: one.id) == asking.find(FollowUp)
        assert sorted(map(asking.own, deals), key=lambda one: one.id) == asking.find(Opportunity)

    @pytest.mark.parametrize("count", [0, 1, 60])
    def test_without_what_goes_beside_more_than_there_are(self, door: Door, make: Maker, count: int) -> None:
        """Where fewer are changed than were asked for, nothing goes beside them."""
        door.seed(*[make.customer(owner_id="li") for _ in range(count)])
        beside = [make.follow_up() for _ in range(count + 1)]
        asking = door.open()

        before = asking.change(
            Customer, F.owner_id == "li", {"owner_id": "wu"}, limit=count + 1, beside=beside
        )
        asking.commit()

        assert count == len(before) == len(door.ids(Customer, F.owner_id == "wu"))
        assert [] == door.ids(FollowUp)

    def test_makes_stale(self, door: Door, make: Maker) -> None:
        """Who read before the change saves in vain."""
        customer = make.customer()
        door.seed(customer)
        asking = door.open()
        asking.change(Customer, EVERYTHING, {"level": "A"})
        asking.commit()

        asking = door.open()
        with pytest.raises(StaleWrite):
            asking.save(asking.own(customer), level="B")
        asking.rollback()

    def test_rolled_back(self, door: Door, make: Maker) -> None:
        """A change is gone with its transaction."""
        if not door.can.transactions:
            pytest.skip("without transactions a rollback can't take back what was written")
        door.seed(make.customer())
        asking = door.open()
        asking.change(Customer, EVERYTHING, {"level": "A"})
        asking.rollback()

        assert [(None, 1)] == [(one.level, one.version) for one in door.open().find(Customer)]
