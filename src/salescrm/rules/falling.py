"""What becomes of one customer: whether, when, into which pool and by which rule it falls; and the sentence for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.entities import Customer
from salescrm.labels import Label, Language
from salescrm.policy.pools import Anchor, Exemption, Pool
from salescrm.rules.decisions import Decision, Input, shown
from salescrm.rules.recycling import Calendars, Meets, Outcome, fallen, outcome
from salescrm.values import Id

__all__ = ["FallDecision", "FallVerdict", "decide"]

#: ``falls``: in the run of that day; ``will-fall``: on a day to come; ``stays``: not by itself.
FallVerdict: TypeAlias = Literal["falls", "will-fall", "stays", "no-pool", "unowned"]

_SENTENCES: Final[Mapping[FallVerdict, Label]] = MappingProxyType(
    {
        "falls": Label(
            "{customer} falls into {pool} on {falls_on} by the rule \u201c{rule}\u201d: {because}",
            "{customer}于{falls_on}落入{pool}，规则\u201c{rule}\u201d：{because}",
        ),
        "will-fall": Label(
            "{customer} will fall into {pool} on {falls_on} by the rule \u201c{rule}\u201d unless something happens: {because}",
            "{customer}如无变化将于{falls_on}落入{pool}，规则\u201c{rule}\u201d：{because}",
        ),
        "stays": Label("{customer} stays with its owner: {because}", "{customer}不会落入公海：{because}"),
        "no-pool": Label(
            "{customer} stays with its owner: it belongs to no pool", "{customer}不会落入公海：不属于任何公海"
        ),
        "unowned": Label("{customer} has no owner: it is in {pool}", "{customer}没有负责人，在{pool}中"),
    }
)
_BECAUSE: Final = Label(
    "{anchor} since {since}, and {last_safe} is the last of {limit} days",
    "自{since}起{anchor}，第{limit}天为{last_safe}",
)
_BECAUSE_WORKING: Final = Label(
    "{anchor} since {since}, and {last_safe} is the last of {limit} working days",
    "自{since}起{anchor}，第{limit}个工作日为{last_safe}",
)
_ALSO: Final = Label("; also by {rules}", "；同时触发{rules}")
_UNSURE: Final = Label(
    "; the working days after {known_until} are not announced yet, so the day may change",
    "；{known_until}之后的工作日安排尚未公布，日期可能变化",
)
_KNOWN_UNTIL: Final = Label("working days announced until", "工作日安排已公布至")
_KEPT: Final = Label("{exemptions}", "{exemptions}")
_NO_RULE: Final = Label("no rule of {pool} is for it", "{pool}没有适用的回收规则")
_NEVER: Final = Label("by its rules it never falls", "按规则不回收")
_ANCHORS: Final[Mapping[Anchor, Label]] = MappingProxyType(
    {
        "no_follow_up": Label("no effective follow-up", "无有效跟进"),
        "no_progress": Label("no progress of an opportunity", "商机无推进"),
        "no_opportunity": Label("no open opportunity", "无进行中的商机"),
        "no_deal": Label("no deal", "未成交"),
        "contract_ended": Label("the contract has ended", "合同已到期"),
    }
)
_EXEMPTIONS: Final[Mapping[Exemption, Label]] = MappingProxyType(
    {
        "protected": Label("it is protected", "处于保护期"),
        "open_opportunity": Label("it has an open opportunity", "有进行中的商机"),
        "has_dealt": Label("it has bought", "已成交"),
        "receivables": Label("something is still to be paid", "有未收款"),
        "shared": Label("it is shared with a colleague", "已共享给同事"),
        "transfer_pending": Label("a transfer waits for approval", "转移待审批"),
    }
)


@attrs.frozen(kw_only=True)
class FallDecision(Decision):
    """
    Whether a customer falls, by day.

    Attributes:
        pool: The pool that it belongs to; *others* are the pools that would take it too, by rank.
        outcomes: What each rule says of it.
        fired: The keys of all rules by which it falls on *falls_on*; the first of them, *rule*, decides.
    """

    verdict: FallVerdict
    customer_id: Id
    customer: str
    owner_id: Id | None
    pool: Pool | None
    others: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    fired: tuple[str, ...] = ()
    falls_on: date | None = None

    def staying(self) -> FallDecision:
        """The same of a customer that, as it turns out, stays with its owner."""
        verdict: FallVerdict = "stays" if self.falls_on is not None else self.verdict
        return attrs.evolve(self, verdict=verdict, rule=None, fired=(), falls_on=None, next_change=None)

    def explain(self, lang: Language) -> str:
        """The decision as a sentence."""
        deciding = next((one for one in self.outcomes if one.rule.key == self.rule), None)
        return (
            _SENTENCES[self.verdict]
            .text(lang)
            .format(
                customer=self.customer,
                pool=self.pool.label.text(lang) if self.pool else shown(None, lang),
                falls_on=shown(self.falls_on, lang),
                rule=deciding.rule.label.text(lang) if deciding else "",
                because=self._because(deciding, lang),
            )
        )

    def _because(self, deciding: Outcome | None, lang: Language) -> str:
        if deciding is None:
            return self._kept(lang)
        others = [one.rule.label.text(lang) for one in self.outcomes if one.rule.key in self.fired[1:]]
        working = deciding.rule.calendar is not None
        said = (
            (_BECAUSE_WORKING if working else _BECAUSE)
            .text(lang)
            .format(
                anchor=_ANCHORS[deciding.rule.anchor].text(lang),
                since=shown(deciding.anchor, lang),
                last_safe=shown(deciding.last_safe, lang),
                limit=deciding.rule.limit,
            )
        )
        if others:
            said += _ALSO.text(lang).format(rules=shown(tuple(others), lang))
        if deciding.known_until is not None:
            said += _UNSURE.text(lang).format(known_until=shown(deciding.known_until, lang))
        return said

    def _kept(self, lang: Language) -> str:
        kept = dict.fromkeys(exemption for one in self.outcomes for exemption in one.exempt)
        if kept:
            return _KEPT.text(lang).format(
                exemptions=shown(tuple(_EXEMPTIONS[one].text(lang) for one in kept), lang)
            )
        if self.outcomes:
            return _NEVER.text(lang)
        return _NO_RULE.text(lang).format(pool=self.pool.label.text(lang) if self.pool else "")


def _looked_at(one: Outcome) -> Iterator[Input]:
    yield Input(name=_ANCHORS[one.rule.anchor], value=one.anchor, threshold=one.last_safe)
    if one.known_until is not None:
        yield Input(name=_KNOWN_UNTIL, value=one.known_until, threshold=one.last_safe)


def decide(
    customer: Customer,
    pools: Sequence[Pool],
    day: date,
    *,
    zone: tzinfo,
    calendars: Calendars,
    meets: Meets,
    policy_version: int,
    ahead: bool = False,
) -> FallDecision:
    """
    What becomes of *customer*, who belongs to *pools*, by rank: on *day*, or on the next day that changes something.

    *zone* is that of the first of the pools, which is the one that decides.  *ahead*: *day* is still to come.
    """
    pool = pools[0] if pools else None

    def decided(
        verdict: FallVerdict,
        outcomes: Iterable[Outcome] = (),
        fired: Sequence[Outcome] = (),
        on: date | None = None,
    ) -> FallDecision:
        found = tuple(outcomes)
        return FallDecision(
            verdict=verdict,
            rule=fired[0].rule.key if fired else None,
            policy_version=policy_version,
            inputs=tuple(looked_at for one in found for looked_at in _looked_at(one)),
            next_change=on if verdict == "will-fall" else None,
            customer_id=customer.id,
            customer=customer.name,
            owner_id=customer.owner_id,
            pool=pool,
            others=tuple(one.key for one in pools[1:]),
            outcomes=found,
            fired=tuple(one.rule.key for one in fired),
            falls_on=on,
        )

    if customer.owner_id is None:
        return decided("unowned")
    if pool is None:
        return decided("no-pool")
    asked = (
        outcome(customer, pool, rule, zone=zone, calendars=calendars, meets=meets) for rule in pool.rules
    )
    outcomes = [one for one in asked if one is not None]
    if now := fallen(outcomes, day):
        return decided("will-fall" if ahead else "falls", outcomes, now, day)
    days = [one.falls_on for one in outcomes if one.falls_on is not None]
    if not days:
        return decided("stays", outcomes)
    return decided("will-fall", outcomes, fallen(outcomes, min(days)), min(days))
