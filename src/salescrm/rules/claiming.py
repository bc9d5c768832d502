"""Whether a member may take a customer from a pool: the checks, in their order, and the sentence for each answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta, tzinfo
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.calendars import day_of, start_of_day
from salescrm.entities import Customer, Member
from salescrm.labels import Label, Language
from salescrm.policy.pools import Pool
from salescrm.rules.decisions import Decision, Input, shown
from salescrm.values import Id, Moment

__all__ = ["ClaimCode", "ClaimDecision", "Claimer", "may_be_assigned", "may_claim"]

#: Why a claim is refused; ``allowed`` where it is not.
ClaimCode: TypeAlias = Literal[
    "allowed",
    "already-owned",
    "not-in-pool",
    "pool-closed",
    "not-a-member",
    "inactive",
    "cap",
    "daily-limit",
    "weekly-limit",
    "cool-down",
    "arrival",
]

_SENTENCES: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "allowed": Label("{member} may take {customer} from {pool}", "{member}可以从{pool}领取{customer}"),
        "already-owned": Label(
            "{customer} has an owner already: somebody else was faster",
            "{customer}已有负责人，被别人先领走了",
        ),
        "not-in-pool": Label("{customer} is not in {pool}", "{customer}不在{pool}中"),
        "pool-closed": Label("{pool} is closed", "{pool}已停用"),
        "not-a-member": Label("{member} does not belong to {pool}", "{member}不是{pool}的成员"),
        "inactive": Label("{member} does not work here any more", "{member}已停用"),
        "cap": Label(
            "{member} has {value} customers already; {threshold} is the most",
            "{member}名下已有{value}个客户，上限为{threshold}个",
        ),
        "daily-limit": Label(
            "{member} has claimed {value} customers today; {threshold} a day is the most, again from {next}",
            "{member}今天已领取{value}个客户，每天最多{threshold}个，{next}起可再领取",
        ),
        "weekly-limit": Label(
            "{member} has claimed {value} customers this week; {threshold} a week is the most, again from {next}",
            "{member}本周已领取{value}个客户，每周最多{threshold}个，{next}起可再领取",
        ),
        "cool-down": Label(
            "{customer} was in the hands of {member} or their team until {value}; they may take it again from {next}",
            "{customer}此前由{member}或其团队跟进至{value}，{next}起才可再次领取",
        ),
        "arrival": Label(
            "{customer} came into {pool} on {value} and is reserved for others; free for all from {next}",
            "{customer}于{value}进入{pool}，保护期内仅限指定成员领取，{next}起对所有成员开放",
        ),
    }
)


@attrs.frozen(kw_only=True)
class Claimer:
    """
    Who claims, and what counts for them.

    Attributes:
        belongs: Whether the pool is open to them; *reserved*, whether also in a customer's first days there.
        holds: How many customers they own, of those that count.
        today: How many they have claimed since the pool's day began; *week* since Monday.
        owned_until: By customer, when they, or where the pool says so their team, last stopped owning it.
    """

    member: Member
    belongs: bool
    reserved: bool = False
    holds: int = 0
    today: int = 0
    week: int = 0
    owned_until: Mapping[Id, Moment] = attrs.field(factory=dict)

    def holding(self, more: int) -> Claimer:
        """The same member with so many customers *more* that count for the cap, and were not claimed from this pool."""
        return attrs.evolve(self, holds=self.holds + more)

    def after_one(self, *, counts: bool) -> Claimer:
        """The same member with one customer more, which may not count for the cap."""
        return attrs.evolve(self, holds=self.holds + counts, today=self.today + 1, week=self.week + 1)


@attrs.frozen(kw_only=True)
class ClaimDecision(Decision):
    """Whether a member may take one customer from a pool; *verdict* is ``allowed`` or why not."""

    verdict: ClaimCode
    customer_id: Id
    customer: str
    member: str
    pool: Label

    @property
    def allowed(self) -> bool:
        """Whether they may."""
        return self.verdict == "allowed"

    def explain(self, lang: Language) -> str:
        """The answer as a sentence."""
        looked_at = self.inputs[-1] if self.inputs else None
        return (
            _SENTENCES[self.verdict]
            .text(lang)
            .format(
                customer=self.customer,
                member=self.member,
                pool=self.pool.text(lang),
                value=shown(looked_at.value, lang) if looked_at else "",
                threshold=shown(looked_at.threshold, lang) if looked_at else "",
                next=shown(self.next_change, lang),
            )
        )


def may_be_assigned(
    customer: Customer, pool: Pool, claimer: Claimer, *, policy_version: int, counts: bool = True
) -> ClaimDecision:
    """
    Whether an admin may give *customer* from *pool* to this member: the limits on how soon and how many a day don't bind.

    *counts*: whether it would count for the cap.
    """
    code, looked_at = _first(customer, pool, claimer), tuple[Input, ...]()
    if code == "allowed" and counts:
        code, looked_at = _cap(pool, claimer)
    return _decided(customer, pool, claimer, code, policy_version, looked_at)


def may_claim(
    customer: Customer,
    pool: Pool,
    claimer: Claimer,
    *,
    now: Moment,
    zone: tzinfo,
    policy_version: int,
    counts: bool = True,
) -> ClaimDecision:
    """
    Whether this member may claim *customer* from *pool* at *now*: the first check that fails says why not.

    *counts*: whether it would count for the cap; one that does not is not kept from anybody by it.
    """
    code, looked_at, change = _first(customer, pool, claimer), tuple[Input, ...](), None
    if code == "allowed" and counts:
        code, looked_at = _cap(pool, claimer)
    if code == "allowed":
        code, looked_at, change = _limits(pool, claimer, day_of(now, zone))
    if code == "allowed":
        code, looked_at, change = _waits(customer, pool, claimer, now, zone)
    return _decided(customer, pool, claimer, code, policy_version, looked_at, change)


def _first(customer: Customer, pool: Pool, claimer: Claimer) -> ClaimCode:
    if customer.owner_id is not None:
        return "already-owned"
    if customer.pool_id != pool.key:
        return "not-in-pool"
    if not pool.enabled:
        return "pool-closed"
    if not claimer.belongs:
        return "not-a-member"
    return "allowed" if claimer.member.active else "inactive"


def _cap(pool: Pool, claimer: Claimer) -> tuple[ClaimCode, tuple[Input, ...]]:
    cap = pool.claims.cap
    if cap is not None and claimer.holds + 1 > cap:
        return "cap", (Input(name=_HOLDS, value=claimer.holds, threshold=cap),)
    return "allowed", ()


def _limits(pool: Pool, claimer: Claimer, today: date) -> tuple[ClaimCode, tuple[Input, ...], date | None]:
    limits = pool.claims
    if limits.daily is not None and claimer.today + 1 > limits.daily:
        looked_at = Input(name=_TODAY, value=claimer.today, threshold=limits.daily)
        return "daily-limit", (looked_at,), today + _DAY
    if limits.weekly is not None and claimer.week + 1 > limits.weekly:
        looked_at = Input(name=_WEEK, value=claimer.week, threshold=limits.weekly)
        return "weekly-limit", (looked_at,), today + timedelta(days=7 - today.weekday())
    return "allowed", (), None


def _waits(
    customer: Customer, pool: Pool, claimer: Claimer, now: Moment, zone: tzinfo
) -> tuple[ClaimCode, tuple[Input, ...], date | None]:
    limits = pool.claims
    ended = claimer.owned_until.get(customer.id)
    if ended is not None and limits.cool_down:
        free = day_of(ended, zone) + timedelta(days=limits.cool_down)
        if now < start_of_day(free, zone):
            looked_at = Input(name=_OWNED, value=day_of(ended, zone), threshold=limits.cool_down)
            return "cool-down", (looked_at,), free
    if limits.arrival and not claimer.reserved and customer.entered_pool_at is not None:
        entered = day_of(customer.entered_pool_at, zone)
        free = entered + timedelta(days=limits.arrival)
        if now < start_of_day(free, zone):
            return "arrival", (Input(name=_ENTERED, value=entered, threshold=limits.arrival),), free
    return "allowed", (), None


def _decided(
    customer: Customer,
    pool: Pool,
    claimer: Claimer,
    code: ClaimCode,
    policy_version: int,
    looked_at: tuple[Input, ...] = (),
    change: date | None = None,
) -> ClaimDecision:
    return ClaimDecision(
        verdict=code,
        policy_version=policy_version,
        inputs=looked_at,
        next_change=change,
        customer_id=customer.id,
        customer=customer.name,
        member=claimer.member.name,
        pool=pool.label,
    )


_DAY: Final = timedelta(days=1)
_HOLDS: Final = Label("customers owned", "名下客户数")
_TODAY: Final = Label("claimed today", "今日已领取")
_WEEK: Final = Label("claimed this week", "本周已领取")
_OWNED: Final = Label("owned until", "此前跟进至")
_ENTERED: Final = Label("in the pool since", "进入公海日期")
