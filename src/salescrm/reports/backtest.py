"""Two policies tried on the same history, as a result that shows itself: a table, a chart, a frame, sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

import attrs

from salescrm.errors import InvalidValue
from salescrm.labels import Language
from salescrm.reports.charts import Chart, Series
from salescrm.reports.figures import number, sums
from salescrm.reports.frames import frame
from salescrm.reports.sheet import Bar, Cell, Column, Sheet, moneys, percent, plain_days, whole
from salescrm.reports.simulation import Named
from salescrm.reports.words import WORDS
from salescrm.rules.backtesting import Refusal, SpellFall
from salescrm.values import Id, Moment, Money

__all__ = ["Backtest", "BacktestChart", "Side"]

#: What a back-test's chart shows of every member: falls, wrong ones among them, or customers held on average.
BacktestChart: TypeAlias = Literal["falls", "wrong", "held"]


@attrs.frozen(kw_only=True)
class Side:
    """
    What history would have been under one policy.

    Attributes:
        falls: Who would have fallen, in order.
        claims: How many real claims were judged; *refused* would not have been made, and why.
        spared: How many customers really fell, and would not have by then.
        holds: By member, how many customers they would have in the end; *held*, how many they had on average.
        evenness: Jain's index of *held*: 1 where all members had the same, 1/n where one had everything.
    """

    falls: tuple[SpellFall, ...]
    claims: int
    refused: tuple[Refusal, ...]
    spared: int
    holds: Mapping[Id, int]
    held: Mapping[Id, float]
    evenness: float
    named: Named

    @property
    def wrong(self) -> tuple[SpellFall, ...]:
        """The falls of customers that later bought from the very member who would have lost them."""
        return tuple(fall for fall in self.falls if fall.wrong)

    @property
    def forgone(self) -> tuple[Money, ...]:
        """What those bought afterwards, one sum per currency; a deal counts once."""
        sales = {sale.opportunity_id: sale.amount for fall in self.falls for sale in fall.bought}
        return sums(sales.values())


@attrs.frozen(kw_only=True)
class Backtest:
    """
    History from *since* to *until* replayed under two policies, *a* and *b*, beside what *really* was.

    Attributes:
        recycled: How many customers really fell in that time.
        members: Whose load is compared: all who had a customer in that time, by id.
    """

    since: Moment
    until: Moment
    a: Side
    b: Side
    really: Side
    recycled: int
    members: tuple[Id, ...]
    time_zone: str
    language: Language

    @property
    def only_a(self) -> tuple[SpellFall, ...]:
        """Who would have fallen under *a* only."""
        return _without(self.a.falls, self.b.falls)

    @property
    def only_b(self) -> tuple[SpellFall, ...]:
        """Who would have fallen under *b* only."""
        return _without(self.b.falls, self.a.falls)

    @property
    def both(self) -> tuple[tuple[SpellFall, SpellFall], ...]:
        """Who would have fallen under both, as under *a* and as under *b*: perhaps on different days."""
        there = {_spell(fall): fall for fall in self.b.falls}
        return tuple((fall, there[_spell(fall)]) for fall in self.a.falls if _spell(fall) in there)

    def to_plain(self) -> dict[str, Any]:
        """The back-test as JSON-able data; amounts are in major units."""
        return {
            "report": "backtest",
            "since": _iso(self.since),
            "until": _iso(self.until),
            "time_zone": self.time_zone,
            "recycled": self.recycled,
            "a": _plain_side(self.a),
            "b": _plain_side(self.b),
            "really": {
                "holds": dict(self.really.holds),
                "held": dict(self.really.held),
                "evenness": self.really.evenness,
            },
        }

    def frame(self, backend: object | None = None) -> Any:
        """
        The falls under both as a data frame, one row each, with ``policy`` a or b: of the library *backend*, or of any.

        Raises:
            Misconfigured: narwhals (``salescrm[frames]``), or any library of data frames, is missing.
            InvalidValue: No such library.
        """
        names = [one.name for one in attrs.fields(SpellFall)]
        rows = (
            attrs.asdict(fall, recurse=False)
            | {"fired": list(fall.fired), "bought": len(fall.bought), "policy": policy, "wrong": fall.wrong}
            for policy, side in (("a", self.a), ("b", self.b))
            for fall in side.falls
        )
        return frame(rows, ["policy", *names, "wrong"], backend)

    def sheet(self, lang: Language | None = None) -> Sheet:
        """Both policies side by side, member by member, as a table of text, in *lang* or the policy's language."""
        lang = lang or self.language
        said = {name: label.text(lang) for name, label in WORDS.items()}
        falls = [_by_owner(side.falls) for side in (self.a, self.b)]
        wrong = [_by_owner(side.wrong) for side in (self.a, self.b)]
        refused = [Counter(one.member_id for one in side.refused) for side in (self.a, self.b)]
        longest = max((many for one in falls for many in one.values()), default=0) or 1
        rows: list[tuple[Cell, ...]] = [
            (
                self.really.named.member(member),
                *(cell for one in falls for cell in (whole(one[member]), Bar(one[member] / longest))),
                *(whole(one[member]) for one in (*wrong, *refused)),
                *(plain_days(side.held[member]) for side in (self.really, self.a, self.b)),
            )
            for member in self.members
        ]
        columns = [Column(said["owner"], number=False)]
        for policy in "AB":
            columns += [Column(f"{said['falls']} {policy}"), Column("", number=False)]
        columns += [Column(f"{said[name]} {policy}") for name in ("wrong", "refused") for policy in "AB"]
        columns += [Column(f"{said['held']} {which}") for which in (said["really"], "A", "B")]
        return Sheet(
            title=said["backtest"],
            columns=tuple(columns),
            rows=tuple(rows),
            notes=tuple(self.explain(lang).splitlines()),
        )

    def chart(self, lang: Language | None = None, of: BacktestChart = "falls") -> Chart:
        """
        Both policies as bars, member by member.

        Raises:
            InvalidValue: There is no chart *of* that.
        """
        lang = lang or self.language
        sides = {"A": self.a, "B": self.b}
        match of:
            case "held":
                shown = {**sides, WORDS["really"].text(lang): self.really}
                series = [(name, dict(side.held)) for name, side in shown.items()]
            case "falls":
                series = [(name, dict(_by_owner(side.falls))) for name, side in sides.items()]
            case "wrong":
                series = [(name, dict(_by_owner(side.wrong))) for name, side in sides.items()]
            case _:
                raise InvalidValue("Backtest", "of", of, "one of " + ", ".join(get_args(BacktestChart)))
        return Chart(
            title=f"{WORDS['backtest'].text(lang)} · {WORDS[of].text(lang)}",
            labels=tuple(map(self.really.named.member, self.members)),
            series=tuple(
                Series(name, tuple(float(values.get(member, 0)) for member in self.members))
                for name, values in series
            ),
        )

    def explain(self, lang: Language | None = None, of: SpellFall | Refusal | None = None) -> str:
        """What it comes to, a line for the time, for each policy, and for where they differ; or one fall, or refusal."""
        lang = lang or self.language
        match of:
            case SpellFall():
                return self._fall(of, lang)
            case Refusal():
                at = self._at(of.at)
                return WORDS["refused_of"].text(lang).format(at=at, why=of.decision.explain(lang))
            case None:
                return "\n".join(self._lines(lang))

    def _lines(self, lang: Language) -> list[str]:
        when = {"since": self._at(self.since), "until": self._at(self.until)}
        lines = [WORDS["replayed"].text(lang).format(**when, recycled=whole(self.recycled))]
        for policy, side in (("A", self.a), ("B", self.b)):
            (forgone,) = moneys((side.forgone,), None)
            lines.append(
                WORDS["side"]
                .text(lang)
                .format(
                    policy=policy,
                    falls=whole(len(side.falls)),
                    wrong=whole(len(side.wrong)),
                    forgone=forgone,
                    spared=whole(side.spared),
                    refused=whole(len(side.refused)),
                    claims=whole(side.claims),
                    even=percent(side.evenness),
                )
            )
        many = {"only_a": len(self.only_a), "only_b": len(self.only_b), "both": len(self.both)}
        lines.append(WORDS["differ"].text(lang).format(**{name: whole(one) for name, one in many.items()}))
        return lines

    def _fall(self, fall: SpellFall, lang: Language) -> str:
        # The same key may be called something else by each of the policies.
        named = (self.a if any(one is fall for one in self.a.falls) else self.b).named
        said = (
            WORDS["would_fall"]
            .text(lang)
            .format(
                customer=fall.customer,
                owner=named.member(fall.owner_id),
                pool=named.pools[fall.pool].text(lang),
                day=fall.day.isoformat(),
                rule=named.rules[fall.pool, fall.rule].text(lang),
            )
        )
        if not fall.bought:
            return said
        (amount,) = moneys((sums(sale.amount for sale in fall.bought),), None)
        on = fall.bought[0].at.astimezone(ZoneInfo(self.time_zone)).date().isoformat()
        return said + WORDS["but_bought"].text(lang).format(on=on, amount=amount)

    def _at(self, moment: Moment) -> str:
        return f"{moment.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M}"

    def __str__(self) -> str:
        return str(self.sheet())

    def _repr_html_(self) -> str:
        return self.sheet().to_html()


def _spell(fall: SpellFall) -> tuple[Id, Id, Moment]:
    return fall.customer_id, fall.owner_id, fall.since


def _without(falls: tuple[SpellFall, ...], others: tuple[SpellFall, ...]) -> tuple[SpellFall, ...]:
    there = set(map(_spell, others))
    return tuple(fall for fall in falls if _spell(fall) not in there)


def _by_owner(falls: tuple[SpellFall, ...]) -> Counter[Id]:
    return Counter(fall.owner_id for fall in falls)


def _iso(moment: Moment | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _plain_side(side: Side) -> dict[str, Any]:
    return {
        "falls": [_plain_fall(fall) for fall in side.falls],
        "wrong": len(side.wrong),
        "forgone": {amount.currency: number(amount) for amount in side.forgone},
        "spared": side.spared,
        "claims": side.claims,
        "refused": [
            {
                "at": _iso(one.at),
                "member_id": one.member_id,
                "customer_id": one.decision.customer_id,
                "code": one.decision.verdict,
                "policy_version": one.decision.policy_version,
            }
            for one in side.refused
        ],
        "holds": dict(side.holds),
        "held": dict(side.held),
        "evenness": side.evenness,
    }


def _plain_fall(fall: SpellFall) -> dict[str, Any]:
    return {
        "customer_id": fall.customer_id,
        "customer": fall.customer,
        "owner_id": fall.owner_id,
        "since": _iso(fall.since),
        "pool": fall.pool,
        "rule": fall.rule,
        "fired": list(fall.fired),
        "day": fall.day.isoformat(),
        "at": _iso(fall.at),
        "policy_version": fall.policy_version,
        "ended": _iso(fall.ended),
        "ended_by": fall.ended_by,
        "bought": [
            {
                "opportunity_id": sale.opportunity_id,
                "at": _iso(sale.at),
                "amount": None
                if sale.amount is None
                else {"amount": number(sale.amount), "currency": sale.amount.currency},
            }
            for sale in fall.bought
        ],
    }
