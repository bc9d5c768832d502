"""Tenants: nothing that one has is read, counted, changed or in the way of another."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from salescrm.entities import Customer, Opportunity
from salescrm.errors import StaleWrite
from salescrm.query import EVERYTHING, F, contains_text, count, total
from salescrm.testing.contract.base import Contract, Door, Run
from salescrm.testing.makers import Maker
from salescrm.values import Money

__all__ = ["Tenants"]


class Tenants(Contract):
    """The same ids and numbers in two tenants, asked from either."""

    @pytest.fixture
    def two(self, door: Door, make: Maker, salescrm_run: Run) -> tuple[Door, Door]:
        """Two tenants with a customer and a deal each, of the same ids and numbers."""
        other = door.elsewhere()
        customer, deal = make.customer(), make.opportunity()
        for one, name in ((door, "ours"), (other, "theirs")):
            its: dict[str, Any] = {"number": "N1", "name": name}
            salescrm_run(
                one.seed,
                attrs.evolve(customer, industry=name, **its),
                attrs.evolve(deal, customer_id=customer.id, amount=Money(1, "CNY"), **its),
            )
        return door, other

    def test_reads_stay_apart(self, two: tuple[Door, Door]) -> None:
        """By id, by question, by search, by stream, by projection."""
        for one, name in zip(two, ("ours", "theirs"), strict=True):
            asking = one.open()
            [customer] = asking.find(Customer)
            assert (name, one.tenant) == (customer.name, customer.tenant)
            assert customer == asking.get(Customer, customer.id)
            assert [[customer]] == list(asking.stream(Customer))
            assert [(name,)] == asking.select(Customer, F.name)
            assert 1 == len(asking.find(Customer, contains_text(name)))
            assert [] == asking.find(Customer, contains_text("theirs" if name == "ours" else "ours"))
            assert [] == asking.find(Customer, ~(F.name == name))

    def test_numbers_stay_apart(self, two: tuple[Door, Door]) -> None:
        """A count, a sum, a group: of one tenant."""
        for one, name in zip(two, ("ours", "theirs"), strict=True):
            asking = one.open()
            assert [(1, Money(1, "CNY"))] == asking.tally(Opportunity, count(), total(F.amount))
            assert [(name, 1)] == asking.tally(Opportunity, count(), by=[F.customer.industry])

    def test_hops_stay_inside(self, two: tuple[Door, Door], make: Maker) -> None:
        """A reference never leads to another tenant's record, although its id is that."""
        ours, theirs = two
        only_theirs = make.customer(industry="secret")
        theirs.seed(only_theirs)
        ours.seed(make.opportunity(customer_id=only_theirs.id, name="x"))
        asking = ours.open()

        assert [("ours", "ours"), ("x", None)] == asking.select(
            Opportunity, F.name, F.customer.industry, order=(F.name,)
        )
        assert ["x"] == [one.name for one in asking.find(Opportunity, F.customer.industry.is_null())]
        assert [] == asking.find(Opportunity, F.customer.industry == "secret")
        assert [(None, 1), ("ours", 1)] == asking.tally(Opportunity, count(), by=[F.customer.industry])

    def test_changes_stay_inside(self, two: tuple[Door, Door]) -> None:
        """Everything of one tenant is nothing of the other."""
        ours, theirs = two
        before = theirs.open().find(Customer)
        asking = ours.open()

        assert ["ours"] == [one.name for one in asking.change(Customer, EVERYTHING, {"level": "A"})]
        asking.commit()

        assert before == theirs.open().find(Customer)

    def test_saves_and_removals_stay_inside(self, two: tuple[Door, Door]) -> None:
        """Of two records with one id, only one's own is written."""
        ours, theirs = two
        before = theirs.open().find(Customer)
        asking = ours.open()
        [customer] = asking.find(Customer)
        saved = asking.save(customer, name="renamed")
        asking.commit()
        assert before == theirs.open().find(Customer)

        asking = ours.open()
        asking.remove(saved)
        asking.commit()
        assert [] == ours.open().find(Customer)
        assert before == theirs.open().find(Customer)

    def test_their_record_is_out_of_reach(self, two: tuple[Door, Door], make: Maker) -> None:
        """An id that only they have is gone for us."""
        ours, theirs = two
        only_theirs = make.customer(number="N2")
        theirs.seed(only_theirs)

        assert ours.open().get(Customer, only_theirs.id) is None
        asking = ours.open()
        with pytest.raises(StaleWrite):
            asking.save(only_theirs, name="taken over")
        asking.rollback()
        asking = ours.open()
        with pytest.raises(StaleWrite):
            asking.remove(only_theirs)
        asking.rollback()
        ours.seed(make.customer(id=only_theirs.id, number="N2"))

        assert 2 == len(theirs.ids(Customer))

    def test_names_of_tenants_are_exact(self, door: Door, make: Maker) -> None:
        """Case, a blank or a sign make another tenant."""
        names = [
            door.tenant,
            door.tenant.upper(),
            f"{door.tenant} ",
            f"{door.tenant}%",
            f"{door.tenant}'",
            f"é{door.tenant}",
        ]
        doors = [attrs.evolve(door, tenant=name) for name in names]
        customer = make.customer()
        for one in doors:
            one.seed(customer)

        assert [[customer.id]] * len(names) == [one.ids(Customer) for one in doors]
