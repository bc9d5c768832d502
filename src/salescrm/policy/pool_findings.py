"""What a policy says without contradicting itself and surely does not mean: rules that never fire, levels without a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.labels import Label, Language
from salescrm.policy.policy import Policy
from salescrm.policy.pools import Pool, RecycleRule
from salescrm.policy.questions import can_hold, fields_of, implies, schemas_of
from salescrm.query import F, Not, Where
from salescrm.query.nodes import all_of
from salescrm.schema import Schema

__all__ = ["Finding", "FindingCode", "findings"]

FindingCode: TypeAlias = Literal[
    "pool-takes-nothing",
    "pool-hidden",
    "pool-without-rules",
    "nobody-claims",
    "reserved-outsiders",
    "no-effect",
    "level-without-rule",
    "rule-never-fires",
    "rule-behind",
    "never-overruled",
    "warns-nobody",
    "calendar-unknown",
]

_POOL: Final = Label("pool {pool}: ", "公海 {pool}：")
_RULE: Final = Label("pool {pool}, rule {rule}: ", "公海 {pool} 的规则 {rule}：")
_SENTENCES: Final[Mapping[FindingCode, Label]] = MappingProxyType(
    {
        "pool-takes-nothing": Label(
            "no customer can ever belong to it: its conditions exclude each other",
            "没有客户会属于它，条件互相排斥",
        ),
        "pool-hidden": Label(
            "no customer ever belongs to it: all of them belong to {other}, which comes first",
            "没有客户会属于它，都归排在前面的{other}",
        ),
        "pool-without-rules": Label(
            "no customer ever falls into it: it has no rule with a number of days",
            "没有客户会落入其中，缺少带天数的回收规则",
        ),
        "nobody-claims": Label(
            "nobody can claim from it: it has no members, no teams, and is not for everyone",
            "没有人可以领取：没有成员，没有团队，也未对所有人开放",
        ),
        "reserved-outsiders": Label(
            "in the first days nobody can claim: those for whom they are reserved do not belong to the pool",
            "保护期内没有人可以领取：指定的人都不是公海成员",
        ),
        "no-effect": Label(
            "{other} has no effect: {missing} is not set", "{other} 不起作用：没有设置 {missing}"
        ),
        "level-without-rule": Label(
            "customers of the level \u201c{other}\u201d have no rule; one with the limit \u201cnever\u201d says that it is meant",
            "等级为\u201c{other}\u201d的客户没有规则；若不回收，请用期限 never 写明",
        ),
        "rule-never-fires": Label(
            "it never fires: no customer can meet its conditions beside those of the pool and what is exempt",
            "永远不会触发：没有客户能同时满足它的条件、公海的条件且不在豁免之列",
        ),
        "rule-behind": Label(
            "it never decides: {other} fires for all its customers before it does",
            "永远不会起作用：对它的所有客户，{other}都更早触发",
        ),
        "never-overruled": Label(
            "\u201cnever\u201d does not keep its customers: by {other} they fall all the same",
            "never 不起作用：它的客户仍会因{other}落入公海",
        ),
        "warns-nobody": Label(
            "a warning goes to the admins of the pool, and it has none",
            "预警发给公海管理员，但公海没有管理员",
        ),
        "calendar-unknown": Label(
            "the policy has no working calendar {other}; the host must give it to connect()",
            "没有工作日历 {other}，须由宿主程序在 connect() 时提供",
        ),
    }
)
_NOT_SET: Final = Label("not set", "未设置")


@attrs.frozen(kw_only=True)
class Finding:
    """
    One thing in a policy that is surely not meant.

    Attributes:
        code: What it is, a stable word to branch on.
        pool: The key of the pool, and of the *rule* in it, if it is one rule's.
        other: What it is about besides: another pool or rule, a level, a setting.
        missing: The setting without which another has no effect.
    """

    code: FindingCode
    pool: str
    rule: str | None = None
    other: Label | None = None
    missing: str | None = None

    def explain(self, lang: Language) -> str:
        """The finding as a sentence, with its place in front."""
        place = _POOL if self.rule is None else _RULE
        other = "" if self.other is None else self.other.text(lang)
        said = _SENTENCES[self.code].text(lang).format(other=other, missing=self.missing)
        return place.text(lang).format(pool=self.pool, rule=self.rule) + said


def findings(policy: Policy, *, calendars: Iterable[str] = ()) -> tuple[Finding, ...]:
    """
    What *policy* surely does not mean, pool by pool in their order; closed pools are left alone.

    Each is certain; what can't be told without records is not looked for.

    Args:
        calendars: The keys of the working calendars that the host gives to `connect`.
    """
    known = schemas_of(policy.extra_kinds)
    given = {*calendars, *(one.key for one in policy.calendars)}
    found: list[Finding] = []
    for pool in policy.pools:
        if pool.enabled:
            found += _pool(policy, pool, known, given)
    return tuple(found)


def _pool(policy: Policy, pool: Pool, known: Mapping[str, Schema], calendars: set[str]) -> Iterator[Finding]:
    if not can_hold(pool.where, known):
        yield Finding(code="pool-takes-nothing", pool=pool.key)
        return
    better = policy.ranked_pools[: policy.ranked_pools.index(pool)]
    mine = all_of([pool.where, *(Not(one.where) for one in better)])
    if not can_hold(mine, known):
        yield Finding(code="pool-hidden", pool=pool.key, other=_keys("pool", "公海", better))
        return
    yield from _claims(pool)
    if all(rule.limit == "never" for rule in pool.rules):
        yield Finding(code="pool-without-rules", pool=pool.key)
        return
    yield from _levels(policy, pool, mine, known)
    for rule in pool.rules:
        yield from _rule(pool, rule, mine, known)
        if rule.calendar is not None and rule.calendar not in calendars:
            key = Label(rule.calendar, rule.calendar)
            yield Finding(code="calendar-unknown", pool=pool.key, rule=rule.key, other=key)
        if not pool.admins and any(one.to == "admins" for one in rule.warnings):
            yield Finding(code="warns-nobody", pool=pool.key, rule=rule.key)


def _claims(pool: Pool) -> Iterator[Finding]:
    claims = pool.claims
    reserved = [*claims.reserved_members, *claims.reserved_teams]
    if not (pool.everyone or pool.members or pool.teams):
        yield Finding(code="nobody-claims", pool=pool.key)
    # Of teams it can't be told here who is in them.
    elif claims.arrival and not (
        pool.everyone or pool.teams or claims.reserved_teams or {*claims.reserved_members} & {*pool.members}
    ):
        yield Finding(code="reserved-outsiders", pool=pool.key)
    for setting, is_set, missing, has_it in (
        ("claims.counted", fields_of(claims.counted), "claims.cap", claims.cap is not None),
        ("claims.cool_down_team", claims.cool_down_team, "claims.cool_down", claims.cool_down > 0),
        ("claims.reserved_members, claims.reserved_teams", reserved, "claims.arrival", claims.arrival > 0),
    ):
        if is_set and not has_it:
            other = Label(setting, setting.replace(", ", "、"))
            yield Finding(code="no-effect", pool=pool.key, other=other, missing=missing)


def _levels(policy: Policy, pool: Pool, mine: Where, known: Mapping[str, Schema]) -> Iterator[Finding]:
    """Where rules differ by level, each level of the policy's list is to have one, and so is a level that is not set."""
    if not any("level" in fields_of(rule.where) for rule in pool.rules):
        return
    levels: list[tuple[Label, Where]] = [
        (one.label, F.level == one.key)
        for choices in policy.choices
        if choices.field == "level"
        for one in choices.options
    ]
    for name, where in (*levels, (_NOT_SET, F.level.is_null())):
        theirs = all_of([mine, where])
        if can_hold(theirs, known) and not any(
            can_hold(all_of([theirs, rule.where]), known) for rule in pool.rules
        ):
            yield Finding(code="level-without-rule", pool=pool.key, other=name)


def _rule(pool: Pool, rule: RecycleRule, mine: Where, known: Mapping[str, Schema]) -> Iterator[Finding]:
    theirs = all_of([mine, rule.where])
    if not can_hold(all_of([theirs, *_falling(pool, rule)]), known):
        yield Finding(code="rule-never-fires", pool=pool.key, rule=rule.key)
        return
    for other in pool.rules:
        if other is rule or other.anchor != rule.anchor or other.limit == "never":
            continue
        if not _is_sooner(pool, other, rule) or not implies(theirs, other.where, known):
            continue
        code: FindingCode = "never-overruled" if rule.limit == "never" else "rule-behind"
        yield Finding(code=code, pool=pool.key, rule=rule.key, other=_keys("rule", "规则", [other]))
        return


def _is_sooner(pool: Pool, other: RecycleRule, rule: RecycleRule) -> bool:
    """Whether *other*, of the same anchor, fires for whoever both are for before *rule* decides."""
    if rule.limit == "never":
        return True
    if not {*pool.exempt_of(other)} <= {*pool.exempt_of(rule)}:
        return False
    if other.calendar not in (None, rule.calendar) or other.limit == "never":
        return False  # so many working days of another calendar may be more or fewer
    stands_first = pool.rules.index(other) < pool.rules.index(rule)
    return other.limit < rule.limit or (other.limit == rule.limit and stands_first)


def _falling(pool: Pool, rule: RecycleRule) -> Iterator[Where]:
    """What is true of every customer that falls by *rule*, as far as it does not depend on the day."""
    yield F.owner_id.is_set()
    yield F.pool_id.is_null()
    exempt = pool.exempt_of(rule)
    if "open_opportunity" in exempt or rule.anchor == "no_opportunity":
        yield F.open_opportunities == 0
    if "has_dealt" in exempt:
        yield F.first_deal_at.is_null()
    if "receivables" in exempt:
        yield F.has_receivables == False  # noqa: E712  # a condition, not a truth value
    if "transfer_pending" in exempt:
        yield F.transfer_pending == False  # noqa: E712  # a condition, not a truth value


def _keys(en: str, zh: str, things: Iterable[Pool] | Iterable[RecycleRule]) -> Label:
    keys = [one.key for one in things]
    return Label(f"{en} {', '.join(keys)}", f"{zh} {'、'.join(keys)}")
