"""Tables of numbers: keys and measures, with nulls, hops, buckets and sums beyond what a machine word holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from salescrm.entities import Customer, FollowUp, Opportunity, OpportunityLine
from salescrm.errors import InvalidQuestion
from salescrm.kinds import Extra
from salescrm.query import NOTHING, F, bucket, count, days, distinct, highest, lowest, mean, total
from salescrm.testing.clock import START
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.contract.kinds import KINDS
from salescrm.testing.makers import Maker
from salescrm.values import Money

__all__ = ["Tallies"]


class Tallies(Contract):
    """`Store.tally`."""

    def test_of_nothing(self, door: Door, make: Maker) -> None:
        """Without keys one row, counts of 0 and no other number; with keys no row."""
        measures = (
            count(), count(F.level == "A"), total(F.founded_year), mean(F.founded_year), lowest(F.name),
            highest(F.created_at), distinct(F.level), total(F.won_amount),
        )  # fmt: skip
        nothing = (0, 0, None, None, None, None, 0, None)

        assert [nothing] == door.open().tally(Customer, *measures)
        assert [] == door.open().tally(Customer, *measures, by=[F.level])
        door.seed(make.customer())
        assert [nothing] == door.open().tally(Customer, *measures, where=NOTHING)
        assert [] == door.open().tally(Customer, *measures, by=[F.level], where=NOTHING)

    def test_numbers_skip_nulls(self, door: Door, make: Maker) -> None:
        """A null counts as a record and in no other number; of nulls alone there is no number."""
        for level, year in (("A", 1), ("A", None), ("A", 4), ("A", 4), ("B", None), (None, 7)):
            door.seed(make.customer(level=level, founded_year=year))

        rows = door.open().tally(
            Customer, count(), total(F.founded_year), mean(F.founded_year), lowest(F.founded_year),
            highest(F.founded_year), distinct(F.founded_year), count(F.founded_year > 3), by=[F.level],
        )  # fmt: skip

        assert [
            (None, 1, 7, Decimal(7), 7, 7, 1, 1),
            ("A", 4, 9, Decimal(3), 1, 4, 2, 2),
            ("B", 1, None, None, None, None, 0, 0),
        ] == rows

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "money"])
    def test_each_kind_is_a_key(self, door: Door, make: Maker, kind: str) -> None:
        """Groups of what is equal to the last sign, null a group of its own, given back as the entity has it."""
        entity, field, values, made = KINDS[kind]
        door.seed(*[made(make, value) for value in values for _ in range(2)])

        rows = door.open().tally(entity, count(), by=[field])

        assert [(value, 2) for value in values] == rows

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("flag", "custom flag")])
    def test_each_kind_has_extremes(self, door: Door, make: Maker, kind: str) -> None:
        """The least and the greatest value, and how many there are."""
        entity, field, values, made = KINDS[kind]
        known = [value for value in values if value is not None]
        door.seed(*[made(make, value) for value in [*values[::-1], *values]])

        assert [(known[0], known[-1])] == door.open().tally(entity, lowest(field), highest(field))
        if kind != "money":
            assert [(len(known),)] == door.open().tally(entity, distinct(field))

    def test_keys_are_exact(self, door: Door, make: Maker) -> None:
        """Texts that a language would call equal are two groups, and two values."""
        texts = ["", " ", "A", "a", "a ", "ss", "ß", "á", "a\u0301", "ａ", "İ", "i̇"]
        door.seed(*[make.customer(industry=text) for text in texts])
        asking = door.open()

        assert sorted((text, 1) for text in texts) == asking.tally(Customer, count(), by=[F.industry])
        assert [(len(texts),)] == asking.tally(Customer, distinct(F.industry))

    def test_several_keys(self, door: Door, make: Maker) -> None:
        """A group for each combination that there is, keys before numbers."""
        for level, city in (("A", "x"), ("A", "y"), ("A", "x"), (None, "x"), (None, None)):
            door.seed(make.customer(level=level, industry=city))

        rows = door.open().tally(Customer, count(), by=[F.level, F.industry])

        assert [(None, None, 1), (None, "x", 1), ("A", "x", 2), ("A", "y", 1)] == rows
        assert [(None,), ("x",), ("y",)] == door.open().tally(Customer, by=[F.industry])

    def test_key_across_a_hop(self, door: Door, make: Maker) -> None:
        """No reference, one that leads nowhere and a null at its end are one group: null."""
        it, blank = make.customer(industry="IT", won_amount=Money(7, "CNY")), make.customer()
        deals = [make.opportunity(customer_id=id) for id in (it.id, it.id, blank.id, "gone", None)]
        door.seed(it, blank, *deals)
        asking = door.open()

        rows = asking.tally(
            Opportunity, count(), count(F.customer.industry == "IT"), total(F.customer.won_amount),
            by=[F.customer.industry],
        )  # fmt: skip

        assert [(None, 3, 0, None), ("IT", 2, 2, Money(14, "CNY"))] == rows
        assert [(2,)] == asking.tally(Opportunity, count(), where=F.customer.industry == "IT")
        assert [(2, 5)] == asking.tally(Opportunity, distinct(F.customer.id), count())

    def test_buckets_of_moments(self, door: Door, make: Maker) -> None:
        """An edge belongs to the bucket that it starts, the last edge to none; outside is null."""
        zone = ZoneInfo("America/New_York")  # two of these months have an hour more or less
        edges = [datetime(2026, month, 1, tzinfo=zone) for month in (3, 4, 5)]
        ms = timedelta(milliseconds=1)
        moments = [edges[0] - ms, edges[0], edges[1] - ms, edges[1], edges[2] - ms, edges[2], None]
        door.seed(*[make.customer(last_follow_up_at=at and at.astimezone(UTC)) for at in moments])

        rows = door.open().tally(Customer, count(), by=[bucket(F.last_follow_up_at, edges)])

        assert [(None, 3), (edges[0], 2), (edges[1], 2)] == rows

    def test_buckets_of_days_and_hops(self, door: Door, make: Maker) -> None:
        """Days have buckets too, also those of a custom field and behind a reference."""
        edges = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
        customer = make.customer(purchase_deadline=date(2026, 1, 31), extra=Extra({"renewal": "2026-02-01"}))
        door.seed(customer, make.opportunity(customer_id=customer.id), make.opportunity())
        asking = door.open()

        assert [(edges[0], 1)] == asking.tally(Customer, count(), by=[bucket(F.purchase_deadline, edges)])
        assert [(edges[1], 1)] == asking.tally(Customer, count(), by=[bucket(F.extra.renewal, edges)])
        hop = bucket(F.customer.purchase_deadline, edges)
        assert [(None, 1), (edges[0], 1)] == asking.tally(Opportunity, count(), by=[hop])

    def test_many_buckets(self, door: Door, make: Maker) -> None:
        """A year of days."""
        edges = [START + timedelta(days=n) for n in range(367)]
        door.seed(*[make.customer(last_follow_up_at=edges[n]) for n in (0, 100, 365)])

        rows = door.open().tally(Customer, count(), by=[bucket(F.last_follow_up_at, edges)])

        assert [(edges[n], 1) for n in (0, 100, 365)] == rows

    def test_whole_days_of_a_span(self, door: Door, make: Maker) -> None:
        """Rounded towards the past: a millisecond less than nothing is day -1."""
        day, ms = timedelta(days=1), timedelta(milliseconds=1)
        spans = [None, -day - ms, -day, -ms, timedelta(0), day - ms, day, 400 * day]
        door.seed(*[make.opportunity(closed_at=None if s is None else START + s) for s in spans])
        took = F.closed_at - F.opened_at

        rows = door.open().tally(Opportunity, count(), by=[days(took)])

        assert [(None, 1), (-2, 1), (-1, 2), (0, 2), (1, 1), (400, 1)] == rows

    def test_numbers_of_spans(self, door: Door, make: Maker) -> None:
        """Durations: summed, averaged to the millisecond, least and greatest."""
        hour = timedelta(hours=1)
        door.seed(*[make.opportunity(closed_at=START + n * hour) for n in (-1, 2, 5)], make.opportunity())
        took = F.closed_at - F.opened_at

        rows = door.open().tally(Opportunity, total(took), mean(took), lowest(took), highest(took))

        assert [(6 * hour, 2 * hour, -hour, 5 * hour)] == rows

    def test_sums_of_decimals(self, door: Door, make: Maker) -> None:
        """A tenth ten times is one."""
        door.seed(*[make.line(quantity=Decimal("0.1")) for _ in range(10)], make.line(quantity=Decimal(2)))

        rows = door.open().tally(OpportunityLine, total(F.quantity), mean(F.quantity), highest(F.quantity))

        total_, average, most = rows[0]
        assert (Decimal(3), Decimal(2)) == (total_, most)
        assert Decimal("0.272727") == round(average, 6)

    def test_money(self, door: Door, make: Maker) -> None:
        """Summed within one currency; two in one group are refused, apart by key they are fine."""
        for minor, currency in ((100, "CNY"), (250, "CNY"), (7, "JPY")):
            door.seed(make.opportunity(amount=Money(minor, currency), stage=currency))
        door.seed(make.opportunity())
        asking = door.open()

        yuan = F.amount.currency == "CNY"
        assert [(Money(350, "CNY"), Money(175, "CNY"))] == asking.tally(
            Opportunity, total(F.amount), mean(F.amount), where=yuan
        )
        assert [(None, None), ("CNY", Money(350, "CNY")), ("JPY", Money(7, "JPY"))] == asking.tally(
            Opportunity, total(F.amount), by=[F.amount.currency]
        )
        stages = asking.tally(Opportunity, highest(F.amount), by=[F.stage])
        assert [("CNY", Money(250, "CNY")), ("JPY", Money(7, "JPY")), ("lead", None)] == stages
        with pytest.raises(InvalidQuestion):
            asking.tally(Opportunity, total(F.amount))

    def test_means_are_exact_and_half_goes_to_even(self, door: Door, make: Maker) -> None:
        """Of money on the minor unit, wherever the engine would round."""
        for stage, minors in {"a": (1, 2), "b": (2, 3), "c": (2**53 - 1, 2**53 - 2, 2**53 - 3)}.items():
            door.seed(*[make.opportunity(stage=stage, amount=Money(minor, "CNY")) for minor in minors])

        rows = door.open().tally(Opportunity, mean(F.amount), by=[F.stage])

        assert [("a", Money(2, "CNY")), ("b", Money(2, "CNY")), ("c", Money(2**53 - 2, "CNY"))] == rows

    def test_counts_of_conditions(self, door: Door, make: Maker) -> None:
        """Any condition may be counted, negations, lists, spans and hops among them."""
        customer = make.customer(industry="IT")
        won = make.opportunity(
            status="won", closed_at=START + timedelta(days=2), tags=("x",), customer_id=customer.id
        )
        door.seed(customer, won, make.opportunity(), make.opportunity(tags=("x", "y")))

        rows = door.open().tally(
            Opportunity, count(), count(F.status == "won"), count(~(F.status == "won")), count(F.tags.has("x")),
            count(F.closed_at - F.opened_at > timedelta(days=1)), count(~(F.closed_at - F.opened_at > timedelta(0))),
            count(F.customer.industry == "IT"), count(F.closed_at.is_null()), count(NOTHING),
        )  # fmt: skip

        assert [(3, 1, 2, 2, 1, 2, 1, 2, 0)] == rows

    def test_key_and_number_meet_the_same_field(self, door: Door, make: Maker) -> None:
        """A field may be asked for any number of times."""
        door.seed(*[make.customer(founded_year=year) for year in (1, 1, 2)])
        year: Any = F.founded_year

        rows = door.open().tally(Customer, total(year), total(year), count(year == 1), by=[year, year])

        assert [(1, 1, 2, 2, 2), (2, 2, 2, 2, 0)] == rows

    def test_tally_sees_own_writes(self, door: Door, make: Maker) -> None:
        """What this store wrote counts before it is committed."""
        door.seed(make.follow_up(effective=True))
        asking = door.open()
        asking.add(make.follow_up(effective=True))

        assert [(True, 2)] == asking.tally(FollowUp, count(), by=[F.effective])
