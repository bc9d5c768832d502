"""Races: many callers at the same records, at the same moment; no record twice, none lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

from salescrm.entities import Counter as RunningNumber
from salescrm.entities import Customer
from salescrm.errors import Duplicate, StaleWrite
from salescrm.query import EVERYTHING, F, count
from salescrm.testing.asking import Asking
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Racing", "claim_all"]

T = TypeVar("T")

FREE: Final = F.owner_id.is_null()


def claim_all(door: Door, who: str, *, limit: int, skip_locked: bool = True) -> list[str]:
    """Claims free customers by `change`, *limit* at a time, until there are none, and gives their ids."""
    claimed: list[str] = []
    while True:
        found = door.persist(
            lambda asking: [
                one.id
                for one in asking.change(
                    Customer,
                    FREE,
                    {"owner_id": who},
                    order=(F.created_at,),
                    limit=limit,
                    skip_locked=skip_locked,
                )
            ]
        )
        claimed += found
        # Nothing found may mean that others hold what is left: only a look at what is committed tells.
        if not found and not door.persist(lambda asking: asking.tally(Customer, count(), where=FREE)[0][0]):
            return claimed


class Racing(Contract):
    """`change` and version checks, by sixteen at once."""

    @pytest.mark.parametrize("skip_locked", [True, False])
    @pytest.mark.parametrize("limit", [1, 7])
    def test_each_record_is_claimed_once(
        self, door: Door, make: Maker, limit: int, skip_locked: bool
    ) -> None:
        """Sixteen claim from a hundred: nobody gets what another has, and all are had."""
        customers = [make.customer() for _ in range(96)]
        door.seed(*customers)

        claims = door.at_once([self._claimer(door, n, limit, skip_locked=skip_locked) for n in range(16)])

        assert {one.id for one in customers} == {id for ids in claims for id in ids}
        assert 96 == sum(map(len, claims))
        owners = {one.id: (one.owner_id, one.version) for one in door.open().find(Customer)}
        assert {id: (f"m{n}", 2) for n, ids in enumerate(claims) for id in ids} == owners

    def test_a_careless_claim_would_be_caught(self, door: Door, make: Maker) -> None:
        """The control: who looks first and then sets by id alone takes a record twice, and the count shows it."""
        if door.colour == "async":
            pytest.skip("the control stands at a barrier, which threads have")
        door.seed(make.customer())
        looked = threading.Barrier(2)

        def careless() -> list[str]:
            looking = door.open()
            found = looking.ids(Customer, FREE)
            looking.rollback()
            looked.wait(30)
            return door.persist(
                lambda asking: [
                    one.id
                    for one in asking.change(Customer, F.id == found[0], {"owner_id": "x"}, skip_locked=False)
                ]
            )

        claims = door.at_once([careless, careless])

        assert 2 == sum(map(len, claims)) > len({id for ids in claims for id in ids})

    def test_each_save_counts(self, door: Door, make: Maker) -> None:
        """Reading, adding one and saving, again on every conflict: no addition is lost."""
        customer = make.customer()
        door.seed(customer)

        def add_one(asking: Asking) -> None:
            current = asking.get(Customer, customer.id)
            assert current is not None
            asking.save(current, follow_up_count=current.follow_up_count + 1)

        def adder() -> None:
            for _ in range(5):
                self._insist(door, add_one)

        door.at_once([adder] * 8)

        [found] = door.open().find(Customer)
        assert (40, 41) == (found.follow_up_count, found.version)

    def test_each_number_is_given_once(self, door: Door, make: Maker) -> None:
        """A running number, made by whoever comes first and raised by all: no two get the same, none is left out."""

        def next_number(asking: Asking) -> int:
            current = asking.get(RunningNumber, "customer")
            if current is None:
                asking.add(RunningNumber(id="customer", upcoming=2, version=1))  # type: ignore[arg-type]  # ids are text
                return 1
            asking.save(current, upcoming=current.upcoming + 1)
            return current.upcoming

        def taker() -> list[int]:
            return [self._insist(door, next_number) for _ in range(4)]

        taken = door.at_once([taker] * 8)

        assert list(range(1, 33)) == sorted(number for numbers in taken for number in numbers)

    def test_one_of_many_takes_a_unique_key(self, door: Door, make: Maker) -> None:
        """Who comes first has it; every other learns that it is taken."""
        customers = [make.customer(number="N1") for _ in range(8)]

        def insert(customer: Customer) -> Callable[[], str]:
            def attempt() -> str:
                try:
                    door.persist(lambda asking: asking.add(customer))
                except Duplicate as taken:
                    return ", ".join(taken.key)
                return "inserted"

            return attempt

        outcomes = Counter(door.at_once([insert(one) for one in customers]))

        assert {"inserted": 1, "number": 7} == outcomes
        assert 1 == len(door.ids(Customer))

    def test_changes_meet_changes(self, door: Door, make: Maker) -> None:
        """Overlapping changes that wait for one another: each happened once to each record, in some order."""
        door.seed(*[make.customer() for _ in range(12)])

        def raise_to(level: str) -> Callable[[], int]:
            def attempt() -> int:
                return len(
                    door.persist(
                        lambda asking: asking.change(
                            Customer, EVERYTHING, {"level": level}, skip_locked=False
                        )
                    )
                )

            return attempt

        counts = door.at_once([raise_to(str(n)) for n in range(8)])

        assert [12] * 8 == counts
        found = door.open().find(Customer)
        assert {9} == {one.version for one in found}

    @pytest.mark.parametrize("skip_locked", [True, False])
    def test_what_others_hold(self, door: Door, make: Maker, skip_locked: bool) -> None:
        """A record that another is changing is skipped or waited for, and never taken as it was before."""
        held, free = make.customer(level="A"), make.customer(level="B")
        door.seed(held, free)
        holding: list[str] = []

        def holder() -> list[str]:
            asking = door.open()
            holding.extend(one.id for one in asking.change(Customer, F.level == "A", {"owner_id": "first"}))
            door.pause(0.3)
            asking.commit()
            return holding

        def other() -> list[str]:
            while not holding:
                door.pause(0.01)
            return claim_all(door, "second", limit=10, skip_locked=skip_locked)

        assert [[held.id], [free.id]] == door.at_once([holder, other])
        assert ["first", "second"] == [one.owner_id for one in door.open().find(Customer, order=(F.level,))]

    def test_migrating_at_once(self, door: Door, make: Maker) -> None:
        """Several may bring the tables up to date at the same moment, and what is there stays."""
        door.seed(make.customer())

        door.at_once([door.backend.migrate] * 4)

        door.backend.verify()
        assert 1 == len(door.ids(Customer))

    def _claimer(self, door: Door, number: int, limit: int, *, skip_locked: bool) -> Callable[[], list[str]]:
        return lambda: claim_all(door, f"m{number}", limit=limit, skip_locked=skip_locked)

    def _insist(self, door: Door, attempt: Callable[[Asking], T]) -> T:
        """What *attempt* returns, tried anew whenever somebody else was first."""
        for _ in range(1000):
            try:
                return door.persist(attempt)
            except (StaleWrite, Duplicate):
                continue
        raise AssertionError("somebody else was first a thousand times")
