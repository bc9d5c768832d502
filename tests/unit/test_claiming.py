"""May this member take this customer: each check, in its order, on the day before, the day and the day after."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from salescrm import Customer
from salescrm.entities import Member
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool
from salescrm.rules.claiming import Claimer, may_be_assigned, may_claim
from salescrm.testing import Maker
from salescrm.values import Id, moment

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
#: Sunday, noon in Shanghai.
NOON = datetime(2026, 3, 15, 12, tzinfo=SHANGHAI)
LIMITS = ClaimLimits(cap=5, daily=2, weekly=4, cool_down=10, arrival=3)
POOL = Pool(key="north", label=Label("North", "北区公海"), everyone=True, claims=LIMITS)
CUSTOMER = Maker().customer(name="云帆科技").unowned_in("north", at=moment(NOON - timedelta(days=1)))


def ann(**given: object) -> Claimer:
    """Somebody who may have anything, but for what is *given*."""
    fields = {"member": Member(id=Id("ann"), name="安"), "belongs": True, "reserved": True} | given
    return Claimer(**fields)  # type: ignore[arg-type]  # what a test gives


def claim(
    claimer: Claimer,
    customer: Customer = CUSTOMER,
    pool: Pool = POOL,
    now: datetime = NOON,
    zone: ZoneInfo = SHANGHAI,
) -> str:
    return may_claim(customer, pool, claimer, now=moment(now), zone=zone, policy_version=1).verdict


def test_the_checks_come_in_their_order_and_an_admin_is_bound_by_the_first_of_them() -> None:
    """Everything is wrong at first; what is named is put right, and the next one is named."""
    wrong: dict[str, Any] = {
        "customer": attrs.evolve(CUSTOMER, owner_id=Id("bo"), pool_id=Id("south")),
        "pool": attrs.evolve(POOL, enabled=False),
        "claimer": Claimer(
            member=Member(id=Id("ann"), name="安", active=False), belongs=False, holds=5, today=2, week=4,
            owned_until={CUSTOMER.id: moment(NOON)},
        ),
    }  # fmt: skip
    put_right: list[tuple[str, dict[str, Any]]] = [
        ("customer", {"owner_id": None}),
        ("customer", {"pool_id": "north"}),
        ("pool", {"enabled": True}),
        ("claimer", {"belongs": True}),
        ("claimer", {"member": Member(id=Id("ann"), name="安")}),
        ("claimer", {"holds": 4}),
        ("claimer", {"today": 1}),
        ("claimer", {"week": 3}),
        ("claimer", {"owned_until": {}}),
        ("claimer", {"reserved": True}),
        ("claimer", {}),
    ]
    named: list[tuple[str, str]] = []
    for what, change in put_right:
        asked = wrong["customer"], wrong["pool"], wrong["claimer"]
        assigned = may_be_assigned(*asked, policy_version=1).verdict
        named.append((claim(wrong["claimer"], wrong["customer"], wrong["pool"]), assigned))
        wrong[what] = attrs.evolve(wrong[what], **change)
    bound = [
        "already-owned", "not-in-pool", "pool-closed", "not-a-member", "inactive", "cap",
    ]  # fmt: skip
    free = ["daily-limit", "weekly-limit", "cool-down", "arrival", "allowed"]
    assert [(one, one) for one in bound] + [(one, "allowed") for one in free] == named


@pytest.mark.parametrize(
    "given, verdict",
    [
        ({"holds": 4}, "allowed"),
        ({"holds": 5}, "cap"),
        ({"holds": 6}, "cap"),
        ({"today": 1}, "allowed"),
        ({"today": 2}, "daily-limit"),
        ({"week": 3}, "allowed"),
        ({"week": 4}, "weekly-limit"),
    ],
)
def test_a_limit_is_reached_and_not_passed(given: dict[str, int], verdict: str) -> None:
    assert verdict == claim(ann(**given))


def test_what_does_not_count_is_not_capped() -> None:
    """Neither for who claims it nor for whom it is given to."""
    claimed = may_claim(
        CUSTOMER, POOL, ann(holds=9), now=moment(NOON), zone=SHANGHAI, policy_version=1, counts=False
    )
    given = may_be_assigned(CUSTOMER, POOL, ann(holds=9), policy_version=1, counts=False)
    assert ("allowed", "allowed") == (claimed.verdict, given.verdict)


@pytest.mark.parametrize("zone", [SHANGHAI, NEW_YORK, ZoneInfo("UTC")])
@pytest.mark.parametrize("hour", [0, 23])
def test_waits_end_when_a_day_begins(zone: ZoneInfo, hour: int) -> None:
    """Whatever the hour was, also over 8 March and 1 November, when days are shorter and longer in New York."""
    for month, day in ((3, 1), (10, 25)):
        ended = datetime(2026, month, day, hour, 59, tzinfo=zone)
        midnight = datetime(2026, month, day, tzinfo=zone)
        claimer = ann(owned_until={CUSTOMER.id: moment(ended)})
        free = midnight + timedelta(days=10)
        last = moment(free) - timedelta(milliseconds=1)
        assert ["cool-down", "allowed"] == [claim(claimer, now=at, zone=zone) for at in (last, free)]
        decision = may_claim(CUSTOMER, POOL, claimer, now=last, zone=zone, policy_version=1)
        assert free.date() == decision.next_change

        arrived = attrs.evolve(CUSTOMER, entered_pool_at=moment(ended))
        open_to_all = midnight + timedelta(days=3)
        last = moment(open_to_all) - timedelta(milliseconds=1)
        found = [claim(ann(reserved=False), arrived, now=at, zone=zone) for at in (last, open_to_all)]
        assert ["arrival", "allowed"] == found
        assert "allowed" == claim(ann(reserved=True), arrived, now=last, zone=zone)


def test_refusals_are_told_in_both_languages() -> None:
    """With the number, the limit and the day."""
    decision = may_claim(CUSTOMER, POOL, ann(today=2), now=moment(NOON), zone=SHANGHAI, policy_version=1)
    assert "安今天已领取2个客户，每天最多2个，2026-03-16起可再领取" == decision.explain("zh")
    assert "安 has claimed 2 customers today; 2 a day is the most, again from 2026-03-16" == decision.explain(
        "en"
    )
    weekly = may_claim(CUSTOMER, POOL, ann(week=4), now=moment(NOON), zone=SHANGHAI, policy_version=1)
    assert date(2026, 3, 16) == weekly.next_change
