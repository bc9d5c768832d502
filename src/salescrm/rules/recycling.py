"""
Which customers fall into which pool on which day: the rule for one customer, and the same as a question for a store.

A customer falls when a day begins, in its pool's time zone: the run of that day, whenever it happens, finds it.  So
everything here depends on the day alone: with a limit of 30 and an anchor on day D, D+30 is the last safe day, and the
customer falls in the run of D+31.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, TypeAlias, assert_never

import attrs

from salescrm.calendars import Calendar, day_of, first_day_from, last_safe_day, latest_anchor, start_of_day
from salescrm.entities import Customer
from salescrm.entities.customers import FOR_GOOD
from salescrm.policy.pools import Exemption, Pool, RecycleRule
from salescrm.query import F, Not, Or, Where
from salescrm.query.fields import Field
from salescrm.query.nodes import all_of
from salescrm.values import Moment

__all__ = [
    "Calendars",
    "Meets",
    "Outcome",
    "belongs",
    "counts_from",
    "fallen",
    "falls",
    "fires",
    "outcome",
    "warned",
    "will_fall",
]

#: Whether a question about customers holds for this one.
Meets: TypeAlias = Callable[[Customer, Where], bool]
#: The working calendar of that key.
Calendars: TypeAlias = Callable[[str], Calendar]

_NO_TIME: Final = timedelta(0)
_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Outcome:
    """
    What one rule says of one customer.

    Attributes:
        anchor: The day that it counts from, in the pool's time zone.
        last_safe: The last day on which the customer is safe from it by its limit alone; None for a limit of ``"never"``.
        exempt: What keeps the customer from falling by it.
        falls_on: The day on which the customer falls by it if nothing happens; None for never.
        known_until: The last day that its working calendar is sure of, where it counts beyond that; else None.
    """

    rule: RecycleRule
    anchor: date
    last_safe: date | None
    exempt: tuple[Exemption, ...] = ()
    falls_on: date | None = None
    known_until: date | None = None


def belongs(pools: Sequence[Pool], pool: Pool) -> Where:
    """The question for what *pool* takes: what belongs to it and to none of *pools* that come before it, by rank."""
    better = pools[: pools.index(pool)]
    return all_of([pool.where, *(Not(one.where) for one in better)])


def fires(pool: Pool, rule: RecycleRule, day: date, *, zone: tzinfo, calendars: Calendars) -> Where | None:
    """The question for the customers that fall by *rule* when *day* begins, of those that belong to *pool*; None for none."""
    if rule.limit == "never":
        return None
    calendar = calendars(rule.calendar) if rule.calendar is not None else None
    latest = latest_anchor(day, rule.limit, calendar)
    begin = start_of_day(day, zone)
    return all_of(
        [
            F.owner_id.is_set(),
            _anchored(rule, latest, day, zone),
            rule.where,
            *(_free_of(exemption, begin) for exemption in pool.exempt_of(rule)),
        ]
    )


def warned(
    pool: Pool, rule: RecycleRule, falls_on: date, *, begin: Moment, zone: tzinfo, calendars: Calendars
) -> Where | None:
    """
    The question for those that fall by *rule* on the very day *falls_on*, of those that belong to *pool*; None for none.

    As one sees it at *begin*, when the day of the warning begins: what came later does not count.
    """
    then = fires(pool, rule, falls_on, zone=zone, calendars=calendars)
    before = fires(pool, rule, falls_on - _DAY, zone=zone, calendars=calendars)
    if then is None or before is None:
        return None
    known_since: Field = getattr(F, counts_from(rule))
    return all_of([then, Not(before), known_since < begin])


def falls(
    pools: Sequence[Pool], pool: Pool, day: date, *, zone: tzinfo, calendars: Calendars
) -> list[tuple[RecycleRule, Where]]:
    """By rule of *pool* that can fire, in order, the question for the customers that fall by it when *day* begins."""
    mine = belongs(pools, pool)
    asked = [(rule, fires(pool, rule, day, zone=zone, calendars=calendars)) for rule in pool.rules]
    return [(rule, all_of([where, mine])) for rule, where in asked if where is not None]


def will_fall(pools: Sequence[Pool], pool: Pool, day: date, *, zone: tzinfo, calendars: Calendars) -> Where:
    """The question for the customers that fall into *pool* when *day* begins, or would have fallen earlier."""
    return Or(tuple(where for _, where in falls(pools, pool, day, zone=zone, calendars=calendars)))


def outcome(
    customer: Customer,
    pool: Pool,
    rule: RecycleRule,
    *,
    zone: tzinfo,
    calendars: Calendars,
    meets: Meets,
) -> Outcome | None:
    """What *rule* says of *customer*, who belongs to *pool*; None where it does not ask about them."""
    if customer.owner_id is None or customer.owned_since is None or not meets(customer, rule.where):
        return None
    anchor = _anchor(customer, rule, zone)
    if anchor is None:
        return None
    if rule.limit == "never":
        return Outcome(rule=rule, anchor=anchor, last_safe=None)
    calendar = calendars(rule.calendar) if rule.calendar is not None else None
    last_safe = last_safe_day(anchor, rule.limit, calendar)
    # Nobody loses a customer on the first night, whatever it counts from.
    falls_on = max(last_safe + _DAY, day_of(customer.owned_since, zone) + 2 * _DAY)
    exempt: list[Exemption] = []
    until: date | None = falls_on
    for exemption in pool.exempt_of(rule):
        ends = _exempt_until(exemption, customer)
        if ends is None:
            continue
        free_on = first_day_from(ends, zone) if ends < FOR_GOOD else None
        if free_on is None:
            exempt.append(exemption)
            until = None
        elif free_on > falls_on:
            exempt.append(exemption)
            until = None if until is None else max(until, free_on)
    known_until = None if calendar is None else calendar.known_until
    return Outcome(
        rule=rule,
        anchor=anchor,
        last_safe=last_safe,
        exempt=tuple(exempt),
        falls_on=until,
        known_until=known_until if known_until is not None and known_until < last_safe else None,
    )


def fallen(outcomes: Iterable[Outcome], day: date) -> tuple[Outcome, ...]:
    """Those of *outcomes* that fire when *day* begins, in order: the first of them decides."""
    return tuple(one for one in outcomes if one.falls_on is not None and one.falls_on <= day)


def _anchored(rule: RecycleRule, latest: date, day: date, zone: tzinfo) -> Where:
    """The anchor lies on the day *latest* or before."""
    before = start_of_day(latest + _DAY, zone)
    match rule.anchor:
        case "no_follow_up":
            return F.quiet_since < before
        case "no_progress":
            return F.stuck_since < before
        case "no_opportunity":
            return F.dealless_since < before
        case "no_deal":
            return (F.owned_since < before) & _no_deal_since()
        case "contract_ended":
            ended = (F.contract_ends_on <= latest) | (F.contract_ends_on.is_null() & (F.owned_since < before))
            return ended & (F.owned_since < start_of_day(day - _DAY, zone))
    assert_never(rule.anchor)


def counts_from(rule: RecycleRule) -> str:
    """The field with the moment at which *rule* begins to count, or to know of the customer at all."""
    match rule.anchor:
        case "no_follow_up":
            return "quiet_since"
        case "no_progress":
            return "stuck_since"
        case "no_opportunity":
            return "dealless_since"
        case "no_deal" | "contract_ended":
            return "owned_since"
    assert_never(rule.anchor)


def _anchor(customer: Customer, rule: RecycleRule, zone: tzinfo) -> date | None:
    """The day that *rule* counts from; None where it does not apply."""
    since = customer.owned_since
    if since is None:
        return None
    match rule.anchor:
        case "no_follow_up":
            return day_of(customer.quiet_since or since, zone)
        case "no_progress":
            return day_of(customer.stuck_since or since, zone)
        case "no_opportunity":
            return None if customer.dealless_since is None else day_of(customer.dealless_since, zone)
        case "no_deal":
            dealt = customer.last_deal_at is not None and customer.last_deal_at >= since
            return None if dealt else day_of(since, zone)
        case "contract_ended":
            return customer.contract_ends_on or day_of(since, zone)
    assert_never(rule.anchor)


def _no_deal_since() -> Where:
    return F.last_deal_at.is_null() | ((F.last_deal_at - F.owned_since) < _NO_TIME)


def _free_of(exemption: Exemption, begin: Moment) -> Where:
    """Not exempt by it at the moment *begin*."""
    match exemption:
        case "protected":
            return ~(F.protected_until > begin)
        case "shared":
            return ~(F.shared_until > begin)
        case "open_opportunity":
            return F.open_opportunities == 0
        case "has_dealt":
            return F.first_deal_at.is_null()
        case "receivables":
            return F.has_receivables == False  # noqa: E712  # a condition, not a truth value
        case "transfer_pending":
            return F.transfer_pending == False  # noqa: E712  # a condition, not a truth value
    assert_never(exemption)


def _exempt_until(exemption: Exemption, customer: Customer) -> datetime | None:
    """Until when *customer* is exempt by it, `FOR_GOOD` where no end is known; None where it is not."""
    match exemption:
        case "protected":
            return customer.protected_until
        case "shared":
            return customer.shared_until
        case "open_opportunity":
            holds = customer.open_opportunities > 0
        case "has_dealt":
            holds = customer.first_deal_at is not None
        case "receivables":
            holds = customer.has_receivables
        case "transfer_pending":
            holds = customer.transfer_pending
        case _:
            assert_never(exemption)
    return FOR_GOOD if holds else None
