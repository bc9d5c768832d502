"""Many records, and numbers that only many can make: the tests that fill a database, for which reason they come last."""

from __future__ import annotations

import pytest

from salescrm.entities import Customer
from salescrm.query import EVERYTHING, F, count, highest, lowest, total
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Volume"]


class Volume(Contract):
    """Beyond the parameters of one statement, the digits of a float, the bits of a machine word."""

    @pytest.mark.parametrize("count", [2, 100, 1500])
    def test_many_records_go_in_at_once(self, door: Door, make: Maker, count: int) -> None:
        """More than any engine takes parameters in one statement, with and without values in the same field."""
        customers = [make.customer(level=None if n % 3 else "A", tags=("x",) * (n % 2)) for n in range(count)]
        door.seed(*customers)

        asking = door.open()
        assert [asking.own(one) for one in customers] == asking.find(Customer)

    def test_sums_are_exact(self, door: Door, make: Maker) -> None:
        """Beyond 2**53, where floats fail, and beyond 2**63, where machine words do."""
        most = 2**53 - 1
        years = [most] * 1100 + [-3, 2]
        door.seed(*[make.customer(founded_year=year, level="A" if year > 0 else "B") for year in years])
        asking = door.open()

        assert [(most * 1100 - 1,)] == asking.tally(Customer, total(F.founded_year))
        assert [("A", most * 1100 + 2), ("B", -3)] == asking.tally(
            Customer, total(F.founded_year), by=[F.level]
        )
        assert [(1102, -3, most)] == asking.tally(
            Customer, count(), lowest(F.founded_year), highest(F.founded_year)
        )

    @pytest.mark.parametrize("skip_locked", [True, False])
    def test_many(self, door: Door, make: Maker, skip_locked: bool) -> None:
        """All of several hundred, or the first of them, by one call."""
        door.seed(*[make.customer() for _ in range(300)])
        asking = door.open()

        first = asking.change(Customer, EVERYTHING, {"level": "A"}, limit=200, skip_locked=skip_locked)
        rest = asking.change(Customer, F.level.is_null(), {"level": "B"}, skip_locked=skip_locked)
        asking.commit()

        assert (200, 100) == (len(first), len(rest))
        assert 300 == len(door.ids(Customer, F.level.is_set()))
