"""What the nights to come will do, as a result that shows itself: a table, a chart, a frame, sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

import attrs

from salescrm.errors import InvalidValue
from salescrm.labels import Label, Language
from salescrm.locale.catalogs import catalog
from salescrm.reports.charts import Chart, Series
from salescrm.reports.frames import frame
from salescrm.reports.sheet import Bar, Column, Sheet, whole
from salescrm.reports.words import WORDS
from salescrm.values import Id, Moment

__all__ = ["Fall", "FallWarning", "Named", "Simulation", "SimulationBy", "Stop"]

#: What the falls of a simulation are counted by.
SimulationBy: TypeAlias = Literal["day", "owner", "pool", "rule"]

_MOST_LINES: Final = 60


@attrs.frozen(kw_only=True)
class Fall:
    """
    One customer that falls: on the *day* that begins *at*, from *owner_id* into *pool*.

    Attributes:
        rule: The rule that decides; *fired* are all by which it falls that day, this one first.
    """

    customer_id: Id
    customer: str
    owner_id: Id
    pool: str
    rule: str
    fired: tuple[str, ...]
    day: date
    at: Moment
    policy_version: int


@attrs.frozen(kw_only=True)
class FallWarning:
    """One warning: in the run of *day*, *told* hear that the customer falls on *falls_on*, *days_left* days later."""

    customer_id: Id
    customer: str
    owner_id: Id
    pool: str
    rule: str
    day: date
    falls_on: date
    days_left: int
    told: tuple[Id, ...]


@attrs.frozen(kw_only=True)
class Stop:
    """From the moment *at* the runs refuse to start, because of *problems*: somebody has to change the policy."""

    at: Moment
    problems: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Named:
    """What people call the *pools*, the *rules* by pool and key, and the *members* that a result tells of."""

    pools: Mapping[str, Label]
    rules: Mapping[tuple[str, str], Label]
    members: Mapping[Id, str]

    def member(self, id: Id) -> str:
        """The member's name; the id where nobody knows it."""
        return self.members.get(id, id)


@attrs.frozen(kw_only=True)
class Simulation:
    """
    What the nightly runs will do from *since* to *until*, if nothing else happens.

    Attributes:
        falls: Who falls, in the order of the nights and their pools, then by id.
        warnings: Who is warned of what, in the same order.
        nights: How many runs there are, one per pool and day.
        versions: The versions of the policy that decide.
        stopped: When and why the runs come to refuse to start, if they do; nothing is told of what would come after.
    """

    since: Moment
    until: Moment
    falls: Sequence[Fall]
    warnings: Sequence[FallWarning]
    nights: int
    versions: tuple[int, ...]
    stopped: Stop | None = None
    named: Named
    time_zone: str
    language: Language

    def to_plain(self) -> dict[str, Any]:
        """The simulation as JSON-able data."""
        return {
            "report": "simulation",
            "since": self.since.isoformat(timespec="milliseconds"),
            "until": self.until.isoformat(timespec="milliseconds"),
            "time_zone": self.time_zone,
            "nights": self.nights,
            "policy_versions": list(self.versions),
            "stopped": None
            if self.stopped is None
            else {
                "at": self.stopped.at.isoformat(timespec="milliseconds"),
                "problems": list(self.stopped.problems),
            },
            "falls": [
                {
                    "customer_id": one.customer_id,
                    "customer": one.customer,
                    "owner_id": one.owner_id,
                    "pool": one.pool,
                    "rule": one.rule,
                    "fired": list(one.fired),
                    "day": one.day.isoformat(),
                    "at": one.at.isoformat(timespec="milliseconds"),
                    "policy_version": one.policy_version,
                }
                for one in self.falls
            ],
            "warnings": [
                {
                    "customer_id": one.customer_id,
                    "customer": one.customer,
                    "owner_id": one.owner_id,
                    "pool": one.pool,
                    "rule": one.rule,
                    "day": one.day.isoformat(),
                    "falls_on": one.falls_on.isoformat(),
                    "days_left": one.days_left,
                    "told": list(one.told),
                }
                for one in self.warnings
            ],
        }

    def frame(self, backend: object | None = None) -> Any:
        """
        The falls as a data frame, one row each: of the library *backend*, or of whichever is installed.

        Raises:
            Misconfigured: narwhals (``salescrm[frames]``), or any library of data frames, is missing.
            InvalidValue: No such library.
        """
        names = [one.name for one in attrs.fields(Fall)]
        rows = (attrs.asdict(one, recurse=False) | {"fired": list(one.fired)} for one in self.falls)
        return frame(rows, names, backend)

    def counts(self, by: SimulationBy = "day") -> dict[Any, int]:
        """
        How many customers fall, by day, previous owner, pool, or pool and rule; days in order, others most first.

        Raises:
            InvalidValue: *by* is none of these.
        """
        found: Counter[Any] = Counter()
        match by:
            case "day":
                found.update(one.day for one in self.falls)
                return dict(sorted(found.items()))
            case "owner":
                found.update(one.owner_id for one in self.falls)
            case "pool":
                found.update(one.pool for one in self.falls)
            case "rule":
                found.update((one.pool, one.rule) for one in self.falls)
            case _:
                raise InvalidValue("Simulation", "by", by, "one of " + ", ".join(get_args(SimulationBy)))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def sheet(self, lang: Language | None = None, by: SimulationBy = "day") -> Sheet:
        """How many fall, as a table of text with bars, in *lang* or the policy's language."""
        lang = lang or self.language
        found = self.counts(by)
        longest = max(found.values(), default=1)
        columns = (
            Column(WORDS[by].text(lang), number=False),
            Column(WORDS["falls"].text(lang)),
            Column("", number=False),
        )
        rows = tuple(
            (self._name(key, by, lang), whole(many), Bar(many / longest)) for key, many in found.items()
        )
        notes = [self.explain(lang)]
        if len(rows) > _MOST_LINES:
            notes.insert(0, WORDS["more"].text(lang).format(many=whole(len(rows) - _MOST_LINES)))
        return Sheet(
            title=f"{WORDS['simulation'].text(lang)} · {WORDS[by].text(lang)}",
            columns=columns,
            rows=rows[:_MOST_LINES],
            notes=tuple(notes),
        )

    def chart(self, lang: Language | None = None, by: SimulationBy = "day") -> Chart:
        """How many fall, as bars."""
        lang = lang or self.language
        found = self.counts(by)
        return Chart(
            title=WORDS["simulation"].text(lang),
            labels=tuple(self._name(key, by, lang) for key in found),
            series=(Series(WORDS["falls"].text(lang), tuple(found.values())),),
        )

    def explain(self, lang: Language | None = None, of: Fall | FallWarning | None = None) -> str:
        """What it comes to in a sentence; or one of its falls, or warnings, as a sentence for whom it hits."""
        lang = lang or self.language
        match of:
            case Fall():
                return self._fall(of, lang)
            case FallWarning():
                return self._warning(of, lang)
            case None:
                return self._whole(lang)

    def _whole(self, lang: Language) -> str:
        said = (
            WORDS["simulated"]
            .text(lang)
            .format(
                since=self._at(self.since),
                until=self._at(self.until),
                falls=whole(len(self.falls)),
                warnings=whole(len(self.warnings)),
                nights=whole(self.nights),
            )
        )
        if self.stopped is None:
            return said
        words = catalog(lang)
        problems = (words.sentence(one) if lang == "zh" else one for one in self.stopped.problems)
        stops = WORDS["stops"].text(lang).format(at=self._at(self.stopped.at), problems="; ".join(problems))
        return f"{said}{'。' if lang == 'zh' else '. '}{stops}"

    def _fall(self, fall: Fall, lang: Language) -> str:
        others = [self.named.rules[fall.pool, key].text(lang) for key in fall.fired[1:]]
        listed = ("、" if lang == "zh" else ", ").join(others)
        return (
            WORDS["falls_of"]
            .text(lang)
            .format(
                customer=fall.customer,
                owner=self.named.member(fall.owner_id),
                pool=self.named.pools[fall.pool].text(lang),
                day=fall.day.isoformat(),
                rule=self.named.rules[fall.pool, fall.rule].text(lang),
                also=WORDS["also"].text(lang).format(rules=listed) if others else "",
            )
        )

    def _warning(self, warning: FallWarning, lang: Language) -> str:
        return (
            WORDS["warned_of"]
            .text(lang)
            .format(
                day=warning.day.isoformat(),
                told=("、" if lang == "zh" else ", ").join(map(self.named.member, warning.told)),
                customer=warning.customer,
                pool=self.named.pools[warning.pool].text(lang),
                falls_on=warning.falls_on.isoformat(),
                days=warning.days_left,
            )
        )

    def _name(self, key: Any, by: SimulationBy, lang: Language) -> str:
        match by:
            case "day":
                return str(key.isoformat())
            case "owner":
                return self.named.member(key)
            case "pool":
                return self.named.pools[key].text(lang)
            case "rule":
                return f"{self.named.pools[key[0]].text(lang)} · {self.named.rules[key].text(lang)}"

    def _at(self, moment: Moment) -> str:
        return f"{moment.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M}"

    def __str__(self) -> str:
        return str(self.sheet())

    def _repr_html_(self) -> str:
        return self.sheet().to_html()
