"""Who gets something and why: the decision, what it looked at, and the sentence for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.labels import Label, Language
from salescrm.policy.assignments import Narrows, Step, Strategy
from salescrm.rules.assigning.candidates import Item, OutFor
from salescrm.rules.decisions import Decision
from salescrm.values import Id

__all__ = ["Assignment", "Figures", "Out", "Picked", "Verdict", "exact"]

#: How somebody came to be chosen: by a step of the strategy, as the only one, or by a host's own say.
Picked: TypeAlias = Literal["previous", "group", "only", "round_robin", "capacity", "least_loaded", "host"]

#: What came of it: somebody gets it, nobody can, it has an owner already, or no rule of assignment is for it.
Verdict: TypeAlias = Literal["assigned", "nobody", "already-owned", "no-rule"]

_SENTENCES: Final[Mapping[Picked | Verdict, Label]] = MappingProxyType(
    {
        "round_robin": Label(
            "{item} goes to {member} ({strategy}): {share} would be their fair share by now, and they had {got}",
            "{item}分配给{member}（{strategy}）：至此应得{share}个，此前已得{got}个",
        ),
        "capacity": Label(
            "{item} goes to {member} ({strategy}): {share} would be their fair share by now, and they had {got}",
            "{item}分配给{member}（{strategy}）：至此应得{share}个，此前已得{got}个",
        ),
        "least_loaded": Label(
            "{item} goes to {member} ({strategy}): nobody who could take it has less to do than their {load}",
            "{item}分配给{member}（{strategy}）：可接手的人中其在手工作量最少（{load}）",
        ),
        "only": Label(
            "{item} goes to {member} ({strategy}): nobody else could take it",
            "{item}分配给{member}（{strategy}）：目前只有{member}可以接手",
        ),
        "previous": Label(
            "{item} goes to {member} ({strategy}): they had it before",
            "{item}分配给{member}（{strategy}）：此前由其负责",
        ),
        "group": Label(
            "{item} goes to {member} ({strategy}): they look after its group of companies",
            "{item}分配给{member}（{strategy}）：同集团客户由其负责",
        ),
        "host": Label("{item} goes to {member}: {strategy}", "{item}分配给{member}：{strategy}"),
        "nobody": Label("nobody can take {item} ({strategy})", "{item}无人可接手（{strategy}）"),
        "already-owned": Label("{item} has an owner already", "{item}已有负责人"),
        "no-rule": Label("no rule of assignment is for {item}", "没有适用于{item}的分配规则"),
    }
)
_STEPS: Final[Mapping[Step, Label]] = MappingProxyType(
    {
        "sticky": Label("who looked after it", "原负责人优先"),
        "territory": Label("territory", "按区域"),
        "skill": Label("skill", "按产品线"),
        "round_robin": Label("in turn", "轮流分配"),
        "capacity": Label("by capacity", "按承接能力"),
        "least_loaded": Label("least work", "按在手工作量"),
    }
)
_OUT: Final[Mapping[OutFor, Label]] = MappingProxyType(
    {
        "inactive": Label("no longer active", "已停用"),
        "pool": Label("not in the pool's circle", "不是该公海成员"),
        "away": Label("on leave", "休假"),
        "cap": Label("at their cap", "客户数已达上限"),
        "capacity": Label("full for this week", "本周名额已满"),
        "sticky": Label("others looked after it", "非原负责人"),
        "territory": Label("another territory", "不负责该区域"),
        "skill": Label("another skill", "不负责该产品线"),
    }
)
_OWN: Final = Label("the host's own rule", "自定义规则")
_PASSED: Final = Label("; nobody there for: {steps}", "；无匹配人员：{steps}")
_OTHERS: Final = Label("; out: {out}", "；未参与：{out}")
_REASON: Final = Label("{names} ({reason})", "{names}（{reason}）")
_MORE: Final = Label("{names} and {more} more", "{names}等{all}人")
#: How many names a sentence bears for one reason.
_NAMES: Final = 3


@attrs.frozen
class Out:
    """A candidate who could not get it, and what for."""

    member_id: Id
    name: str
    reason: OutFor


@attrs.frozen(kw_only=True)
class Figures:
    """
    How one who could get it stood before the decision.

    Attributes:
        share: What should have come to them by then, this item included, in items; None where that is not what counts.
        got: What had come to them.
        load: Their open work.
    """

    member_id: Id
    name: str
    share: Fraction | None
    got: int
    load: int


@attrs.frozen(kw_only=True)
class Assignment(Decision):
    """
    Who gets *item*, or that nobody does.

    Attributes:
        strategy: What decided; None where nothing had to.
        picked: How they came to be chosen; None for nobody.
        passed: The steps that were passed over: nobody was there for them.
        lane: Which lane of the shares it was drawn from; None where nothing was drawn.
        out: Who could not get it, and what for.
        figures: Of whom it was between: the chosen one first, then who was next.
    """

    verdict: Verdict
    item: Item
    member_id: Id | None = None
    member: str = ""
    strategy: Strategy | None = None
    picked: Picked | None = None
    passed: tuple[Narrows, ...] = ()
    lane: str | None = None
    out: tuple[Out, ...] = ()
    figures: tuple[Figures, ...] = ()

    @property
    def assigned(self) -> bool:
        """Whether somebody gets it."""
        return self.verdict == "assigned"

    def why_not(self, member_id: str) -> OutFor | None:
        """What *member_id* was out for; None for who could have got it, or was no candidate."""
        return next((one.reason for one in self.out if one.member_id == member_id), None)

    def explain(self, lang: Language) -> str:
        """The decision as a sentence."""
        mine = self.figures[0] if self.figures else None
        told = (
            _SENTENCES[self.picked or self.verdict]
            .text(lang)
            .format(
                item=self.item.name,
                member=self.member,
                strategy=self._strategy(lang),
                share=exact(mine.share) if mine and mine.share is not None else "",
                got=mine.got if mine else "",
                load=mine.load if mine else "",
            )
        )
        comma = "、" if lang == "zh" else ", "
        if self.passed:
            steps = comma.join(_STEPS[step].text(lang) for step in self.passed)
            told += _PASSED.text(lang).format(steps=steps)
        if self.out and self.picked not in ("previous", "group"):
            told += _OTHERS.text(lang).format(out=comma.join(_grouped(self.out, lang)))
        return told

    def _strategy(self, lang: Language) -> str:
        if self.picked == "host":
            return _OWN.text(lang)
        if self.strategy is None:
            return ""
        steps = (*self.strategy.narrows, self.strategy.picks)
        return ("，再" if lang == "zh" else ", then ").join(_STEPS[step].text(lang) for step in steps)


def exact(value: Fraction, *, places: int = 2, up: bool = True) -> str:
    """*value* with so many places behind the point: rounded, halves away from zero, or with *up* off cut short."""
    halves = value.denominator if up else 0
    scaled = (2 * abs(value.numerator) * 10**places + halves) // (2 * value.denominator)
    whole, rest = divmod(scaled, 10**places)
    return f"{'-' if value < 0 and scaled else ''}{whole}.{rest:0{places}}"


def _grouped(out: Iterable[Out], lang: Language) -> list[str]:
    """By reason, in the order in which it first stands there, who was out for it."""
    names: dict[OutFor, list[str]] = {}
    for one in out:
        names.setdefault(one.reason, []).append(one.name)
    return [
        _REASON.text(lang).format(names=_listed(who, lang), reason=_OUT[reason].text(lang))
        for reason, who in names.items()
    ]


def _listed(names: list[str], lang: Language) -> str:
    shown = ("、" if lang == "zh" else ", ").join(names[:_NAMES])
    more = len(names) - _NAMES
    return _MORE.text(lang).format(names=shown, more=more, all=len(names)) if more > 0 else shown
