"""Round trips: what comes out is equal to what went in, at the edges of every kind of value."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from salescrm.entities import (
    Attachment,
    ChangeEntry,
    Collaborator,
    Competitor,
    Customer,
    FollowUp,
    KeyDate,
    Opportunity,
    OpportunityLine,
    OutboxEvent,
    Place,
    Postponement,
    Receipt,
    Record,
    RemindBefore,
)
from salescrm.kinds import Extra
from salescrm.testing.clock import START
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.contract.texts import SIGNS
from salescrm.testing.makers import Maker
from salescrm.values import Id, Money, Region

__all__ = ["RoundTrips"]

FIRST: Final = datetime(1000, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
MOST: Final = 2**53 - 1
#: Characters beyond the plane, of several code points, with their own ideas of case, order, width or direction.
TEXT: Final = (
    "é ß İ ı ﬁ Ω 中文 ０ 😀 👩‍👩‍👧 e\u0301 \u202eabc\u202c \ufeff \u2028 \t\r\n ' \" \\ % _ $ {} \x7f \uffff"
)
#: As much of it as a single line may have.
LINE: Final = "é ß İ ı ﬁ Ω 中文 ０ 😀 👩‍👩‍👧 e\u0301 \u200f \ufeff ' \" \\ % _ $ {} \uffff"


class RoundTrips(Contract):
    """`write`, then `get`, `find` and `stream`: equal, of the same type, also after a replacement."""

    @pytest.mark.parametrize(
        "name, given",
        [
            ("customer", {}),
            ("customer", {"name": LINE, "industry": "", "notes": "x" * 20_000, "address": "中" * 20_000}),
            ("customer", {"notes": TEXT, "address": "\n", "id": TEXT[:60], "owner_id": TEXT[:60]}),
            ("customer", {"name": "😀" * 255, "number": "ß" * 64}),
            ("customer", {"tags": (), "interests": ("", "a", "a", LINE[:50], *SIGNS)}),
            ("customer", {"won_amount": Money(MOST, "CNY"), "annual_revenue": Money(-MOST, "JPY")}),
            ("customer", {"won_amount": Money(0, "KWD"), "budget_low": Money(1, "CLF"), "budget_high": None}),
            ("customer", {"founded_year": MOST, "follow_up_count": -MOST}),
            ("customer", {"first_contact_at": FIRST, "owned_since": LAST, "protected_until": START}),
            ("customer", {"created_at": START + timedelta(milliseconds=1), "updated_at": LAST}),
            ("customer", {"birth_date": date(1000, 1, 1), "purchase_deadline": date(9998, 12, 31)}),
            ("customer", {"region": Region(), "residence": None}),
            ("customer", {"region": Region("", LINE[:20], None)}),
            ("customer", {"region": Region(None, None, "浦东新区"), "extra": Extra()}),
            ("customer", {"extra": Extra({"segment": TEXT, "seats": MOST, "vip": False, "renewal": "9998-12-31"})}),
            ("customer", {"extra": Extra({"segment": "", "seats": -MOST, "vip": True, "renewal": "1000-01-01"})}),
            ("customer", {"products_bought": ("p1", "p2"), "version": MOST}),
            (
                "customer",
                {
                    "collaborators": (
                        Collaborator(member_id="li"),
                        Collaborator(member_id=TEXT, access="write", until=LAST),
                    ),
                    "key_dates": (KeyDate(name="$ne", on=date(2024, 2, 29), yearly=True),),
                },
            ),
            ("opportunity", {"competitors": (Competitor(name=TEXT), Competitor(name="", price=Money(-MOST, "BHD")))}),
            ("opportunity", {"probability_overridden": True, "probability": 0, "amount": Money(-1, "CNY")}),
            (
                "follow_up",
                {
                    "effective": False,
                    "remind_before": (RemindBefore(minutes=0), RemindBefore(minutes=MOST)),
                    "postponements": (Postponement(was=FIRST, to=LAST, reason=TEXT, at=START, by="li"),),
                    "attachments": (Attachment(name=TEXT, location="s3://$x/'"),),
                    "place": Place(latitude=Decimal("-89.99999999"), longitude=Decimal("1E-8"), checked_in_at=START),
                },
            ),
            ("follow_up", {"effective": True, "place": Place(latitude=Decimal(0), longitude=Decimal(180))}),
            *[
                ("line", {"quantity": Decimal(text)})
                for text in ("0", "-0.0001", "0.1", "1.50", "1E+3", "900719925474.0991", "-900719925474.0991")
            ],
        ],
    )  # fmt: skip
    def test_entities(self, door: Door, make: Maker, name: str, given: dict[str, Any]) -> None:
        """Every kind of value at its edges."""
        self._goes_round(door, getattr(make, name)(**given))

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"$set": {"$where": "1"}, "a.b": [1, {"$ne": None}], "": None, "_id": "x", "id": 7},
            {"nested": [[], {}, [[1, [True, False, None, -MOST, MOST]]], TEXT, ""]},
            {TEXT[:30]: TEXT, "number": "1", "date": "2026-03-15T10:00:00.000+00:00"},
        ],
        ids=["empty", "signs", "nested", "texts"],
    )
    def test_mappings(self, door: Door, make: Maker, data: dict[str, Any]) -> None:
        """JSON keeps its keys and its types, whatever they mean elsewhere."""
        about: dict[str, Any] = {"entity": "Customer", "record_id": make.id(), "version": 1}
        event = OutboxEvent(id=make.id(), name="Moved", data=data, due_at=START, **about)
        entry = ChangeEntry(id=make.id(), kind="saved", record_version=2, changes=data, **about)
        receipt = Receipt(id=Id(TEXT[:60]), result=data, version=1)
        for record in (event, entry, receipt):
            self._goes_round(door, record)

    @pytest.mark.parametrize("sign", SIGNS, ids=ascii)
    def test_signs_in_ids_and_names(self, door: Door, make: Maker, sign: str) -> None:
        """An id, a list's element, a custom value may be any text."""
        self._goes_round(
            door, make.customer(id=f"a{sign}", name=f"x{sign}", tags=(sign,), extra=Extra({"segment": sign}))
        )

    def test_moments_are_cut_on_the_way_in(self, door: Door, make: Maker) -> None:
        """To UTC and whole milliseconds, nested ones too; so equality survives."""
        at = START.replace(microsecond=123_999)
        customer = make.customer(
            last_follow_up_at=at, collaborators=(Collaborator(member_id="li", until=at.astimezone(None)),)
        )
        asking = door.open()
        admitted = asking.own(customer)
        assert admitted.last_follow_up_at == START.replace(microsecond=123_000)
        assert admitted.collaborators[0].until == START.replace(microsecond=123_000)

        self._goes_round(door, admitted)

    def test_types_are_exact(self, door: Door, make: Maker) -> None:
        """Not merely equal: a flag is no number, a moment is in UTC, lists are tuples, custom fields frozen."""
        deal = make.opportunity(tags=("a",), extra=Extra({"vip": True, "seats": 1}), closed_at=START)
        door.seed(deal, make.line(quantity=Decimal(2)))
        asking = door.open()
        [found] = asking.find(Opportunity)
        [line] = asking.find(OpportunityLine)

        assert found.probability_overridden is False
        assert found.extra["vip"] is True
        assert int is type(found.extra["seats"])
        assert int is type(found.probability)
        assert UTC is (found.closed_at and found.closed_at.tzinfo)
        assert (tuple, Extra, Decimal) == (type(found.tags), type(found.extra), type(line.quantity))
        assert hash(found) == hash(asking.own(deal))
        assert asking.schema(Opportunity).admit(found) is found

    def _goes_round(self, door: Door, record: Record) -> None:
        """Inserted and read in each way; then over a plain one, and back to a plain one."""
        entity: type[Record] = type(record)
        asking = door.open()
        wanted = asking.own(record)
        asking.add(wanted)
        assert wanted == asking.get(entity, record.id)
        asking.commit()
        asking = door.open()
        assert [wanted] == asking.find(entity)
        assert [[wanted]] == list(asking.stream(entity))
        assert type(wanted) is type(asking.find(entity)[0])

        if entity not in (Customer, Opportunity, FollowUp) or wanted.version == MOST:
            return
        make = Maker(seed="other")
        plain = {Customer: make.customer, Opportunity: make.opportunity, FollowUp: make.follow_up}[entity]()
        asking.add(plain)
        schema = asking.schema(entity)
        saved = asking.save(asking.own(schema.evolve(wanted, {"id": plain.id, "number": "N2", "version": 1})))
        asking.commit()
        asking = door.open()
        assert saved == asking.get(entity, plain.id)
        emptied = asking.save(asking.own(schema.evolve(plain, {"version": 2, "number": "N3"})))
        asking.commit()
        assert emptied == door.open().get(entity, plain.id)
