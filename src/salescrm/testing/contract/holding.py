"""`hold`: one at a time may count and add, and whoever comes second sees what the first has left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from salescrm.entities import Customer, Turn
from salescrm.query import F, count
from salescrm.testing.asking import Asking
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Holding"]


class Holding(Contract):
    """`Store.hold`, by one and by many."""

    def test_no_limit_is_passed(self, door: Door, make: Maker) -> None:
        """Sixteen count and add where there is room for five: five are added."""
        _needs_transactions(door)

        def add_if_room(customer: Customer) -> Callable[[Asking], bool]:
            def attempt(asking: Asking) -> bool:
                asking.hold(_turn("li"))
                room = asking.tally(Customer, count(), where=F.owner_id == "li")[0][0] < 5
                door.pause(0.002)
                if room:
                    asking.add(customer)
                return bool(room)

            return attempt

        attempts = [add_if_room(make.customer(owner_id="li")) for _ in range(16)]
        added = door.at_once([lambda one=one: door.persist(one) for one in attempts])  # type: ignore[misc]  # bound now

        assert 5 == sum(added) == len(door.ids(Customer, F.owner_id == "li"))

    def test_what_was_held_is_read_as_it_was_left(self, door: Door, make: Maker) -> None:
        """Who waits for a holder reads what that one has committed, and not what was there before."""
        _needs_transactions(door)
        customer = make.customer(level="A")
        door.seed(customer)
        held: list[str] = []

        def holder() -> str:
            asking = door.open()
            asking.hold(_turn("li"))
            held.append("li")
            door.pause(0.2)
            asking.save(asking.own(customer), level="B")
            asking.commit()
            return "B"

        def other() -> str:
            while not held:
                door.pause(0.01)

            def read(asking: Asking) -> str:
                asking.hold(_turn("li"))
                found = asking.get(Customer, customer.id)
                assert found is not None
                return str(found.level)

            return door.persist(read)

        assert ["B", "B"] == door.at_once([holder, other])

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_the_end_of_the_transaction_lets_go(self, door: Door, make: Maker, end: str) -> None:
        """However it ends, and however often it was held in it; the next one holds it at once."""
        for _ in range(3):
            asking = door.open()
            asking.hold(_turn("li"), _turn("wang"))
            asking.hold(_turn("li"))
            getattr(asking, end)()

        assert door.persist(lambda asking: asking.hold(_turn("wang"), _turn("zhao"))) is None

    def test_others_go_on(self, door: Door, make: Maker) -> None:
        """Holding one record keeps nobody from holding another, nor from writing what was not held."""
        _needs_transactions(door)
        if not door.can.concurrent_writers:
            pytest.skip("one writer waits for another anyway")
        door.persist(lambda asking: asking.hold(_turn("li"), _turn("wang")))
        first, second = door.open(), door.open()

        first.hold(_turn("li"))
        second.hold(_turn("wang"))
        second.add(make.customer(owner_id="wang"))
        second.commit()
        first.commit()

        assert 1 == len(door.ids(Customer))

    def test_each_tenant_has_its_own(self, door: Door, make: Maker) -> None:
        """The same id of another tenant is another record."""
        _needs_transactions(door)
        if not door.can.concurrent_writers:
            pytest.skip("one writer waits for another anyway")
        other = door.elsewhere().open()
        door.persist(lambda asking: asking.hold(_turn("li")))
        other.hold(_turn("li"))
        mine = door.open()
        mine.hold(_turn("li"))
        mine.commit()
        other.commit()


def _needs_transactions(door: Door) -> None:
    if not door.can.transactions:
        pytest.skip("what no transaction ends can't be held")


def _turn(id: str) -> Turn:
    return Turn(id=id, version=1)  # type: ignore[arg-type]  # ids are text
