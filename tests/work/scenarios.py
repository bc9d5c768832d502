"""
The rules of the public pool as a table: each customer's story, and the very day on which it falls, if at all.

Days are counted by hand, in the time zone of the pool.  A season is a policy and the days on which it is looked at;
`test_pool_scenarios` tells every story of a season in one database per engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias, get_args
from zoneinfo import ZoneInfo

import attrs

from salescrm import Customer, F, Policy, Work
from salescrm.policy import Pool, PoolWarning, RecycleRule
from salescrm.policy.pools import Exemption
from salescrm.values import Id
from tests.work.pooling import pool, rule

__all__ = ["SEASONS", "Act", "Scenario", "Season"]

SHANGHAI, NEW_YORK, UTC = "Asia/Shanghai", "America/New_York", "UTC"
ZONES: Final = {"sh": SHANGHAI, "ny": NEW_YORK, "utc": UTC}
#: Something that is done about a customer.
Act: TypeAlias = Callable[[Work, Id], object]


@attrs.frozen(kw_only=True)
class Scenario:
    """
    One customer's story.

    Attributes:
        acts: What happens to it, and when; *born* is when ann gets it.
        falls: The day of the run in which it falls, by *rules*, the first of which decides, into *pool*; None for never.
        warned: The day of each warning, and how many days before the fall it says it is.
        foreseen: The day that is foretold when all acts are done, where that lies beyond the season.
    """

    name: str
    pool: str
    born: datetime
    fields: dict[str, Any] = attrs.field(factory=dict)
    acts: tuple[tuple[datetime, Act], ...] = ()
    falls: date | None = None
    rules: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    warned: tuple[tuple[date, int], ...] = ()
    foreseen: date | None = None


@attrs.frozen(kw_only=True)
class Season:
    """A policy, the days from the first tick to the last one, and what happens in between."""

    policy: Policy
    first: date
    last: date
    scenarios: tuple[Scenario, ...]


def at(month: int, day: int, hour: int = 10, minute: int = 0, zone: str = SHANGHAI, **more: int) -> datetime:
    """That moment of 2026."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo(zone), **more)


def march(day: int) -> date:
    """That day of March 2026; 1 is a Sunday."""
    return date(2026, 3, day)


# What may happen to a customer.


def follow_up(*, effective: bool | None = True, done_at: datetime | None = None) -> Act:
    return lambda work, it: work.follow_ups.record(
        result="谈了", customer_id=it, done_at=done_at, outcome={"effective": effective}
    )


def deal(name: str = "deal", pipeline: str = "intent") -> Act:
    return lambda work, it: work.opportunities.create(name=name, customer_id=it, pipeline=pipeline)


def _deals(work: Work, customer: Id, name: str) -> Any:
    (found,) = work.opportunities.find((F.customer_id == customer) & (F.name == name))
    return found


def move(to: str, name: str = "deal") -> Act:
    return lambda work, it: work.opportunities.move(_deals(work, it, name), to)


def lose(name: str = "deal") -> Act:
    return lambda work, it: work.opportunities.lose(_deals(work, it, name), reason="price")


def reopen(name: str = "deal") -> Act:
    return lambda work, it: work.opportunities.reopen(_deals(work, it, name))


def win(work: Work, it: Id) -> None:
    made = work.opportunities.create(name="won", customer_id=it, pipeline="intent")
    for stage in work.policy.pipeline("intent").path[1:]:
        made = work.opportunities.move(made, stage.key)


def edit(**changes: Any) -> Act:
    return lambda work, it: work.customers.edit(it, **changes)


def protect(until: date) -> Act:
    return lambda work, it: work.pools.protect(it, until=until)


def unprotect(work: Work, customer: Id) -> None:
    work.pools.unprotect(customer)


def share(until: datetime | None = None) -> Act:
    return lambda work, it: work.customers.share(it, Id("bo"), until=until)


def unshare(work: Work, customer: Id) -> None:
    work.customers.unshare(customer, Id("bo"))


def pending(*, waits: bool) -> Act:
    # What a transfer that waits for approval sets.
    return lambda work, it: work.repository(Customer).change(F.id == it, {"transfer_pending": waits})


def _tagged(key: str, **given: Any) -> RecycleRule:
    """A rule for the customers that bear its key as a tag."""
    return rule(key, where=F.tags.has(key), **({"warnings": []} | given))


# A season of March: each anchor, each exemption, each zone; on 8 March clocks go forward in New York.

_LADDER: Final = [
    PoolWarning(days=7),
    PoolWarning(days=3, to="manager"),
    PoolWarning(days=1, to="admins"),
]
#: In every zone.
_ZONED: Final = (
    _tagged("quiet", limit=5),
    _tagged("undealt", anchor="no_deal", limit=5),
    _tagged("ended", anchor="contract_ended", limit=2),
    _tagged("working", limit=5, calendar="week"),
    _tagged("kept", limit=2, exempt=get_args(Exemption)),
)
_SHANGHAI: Final = (
    _tagged("stuck", anchor="no_progress", limit=5),
    _tagged("dealless", anchor="no_opportunity", limit=5),
    _tagged("workday", anchor="no_deal", limit=1, calendar="week"),
    _tagged("bare", limit=2, exempt=()),
    _tagged("never", limit="never"),
    _tagged("one", anchor="no_deal", limit=4, exempt=()),
    _tagged("two", limit=2, exempt=()),
    _tagged("three", anchor="no_opportunity", limit=2, exempt=()),
    _tagged("ladder", limit=8, warnings=_LADDER),
)


def _zoned(key: str, **given: Any) -> Pool:
    mine = F.source == key
    return pool(key, where=mine, time_zone=ZONES[key], admins=("boss", "chief"), **given)


_RANKED: Final = rule("ranked", anchor="no_deal", limit=2, warnings=[])


def _ranked(key: str, *, more: bool = False, priority: int = 0) -> Pool:
    where = F.tags.has(key) & (F.level == "A") if more else F.tags.has(key)
    return pool(key, where=where, priority=priority, rules=[_RANKED])


def _boundaries(born: Callable[[int, int, str], datetime], shift: date) -> Iterator[Scenario]:
    """In each zone, from the last moment of a Thursday and from the first one of the Friday behind it."""
    thursday = shift
    for key, zone in ZONES.items():
        for late in (True, False):
            since = born(thursday.month, thursday.day, zone) if late else None
            moment = since or datetime(
                thursday.year, thursday.month, thursday.day, tzinfo=ZoneInfo(zone)
            ) + timedelta(days=1)
            day = thursday if late else thursday + timedelta(days=1)
            # Six days on is the day after the fifth; five working days after a Thursday end on the next Thursday.
            falls = {
                "quiet": day + timedelta(days=6),
                "stuck": day + timedelta(days=6),
                "dealless": day + timedelta(days=6),
                "undealt": day + timedelta(days=6),
                "ended": day + timedelta(days=3),
                "working": thursday + timedelta(days=8 if late else 9),
                "workday": thursday + timedelta(days=2 if late else 5),
            }
            for tag in falls if key == "sh" else (one.key for one in _ZONED if one.key in falls):
                yield Scenario(
                    name=f"{key}: {tag} from {'the last' if late else 'the first'} moment of {day}",
                    pool=key, born=moment, fields={"tags": [tag]}, falls=falls[tag], rules=(tag,),
                )  # fmt: skip


def _told(
    name: str,
    tag: str,
    falls: int | None = None,
    *acts: tuple[datetime, Act],
    rules: tuple[str, ...] = (),
    born: datetime | None = None,
    fields: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """A story in Shanghai that begins on 5 March at ten."""
    return Scenario(
        name=name, pool="sh", born=born or at(3, 5), fields={"tags": [tag], **(fields or {})}, acts=acts,
        falls=None if falls is None else march(falls), rules=rules or ((tag,) if falls is not None else ()), **more,
    )  # fmt: skip


def _march() -> Iterator[Scenario]:
    yield from _boundaries(
        lambda month, day, zone: at(month, day, 23, 59, zone, second=59, microsecond=999_000), march(5)
    )
    yield from _follow_ups()
    yield from _opportunities()
    yield from _contracts()
    yield from _exempt()
    yield from _several()


def _follow_ups() -> Iterator[Scenario]:
    yield _told("an effective follow-up counts anew", "quiet", 13, (at(3, 7, 15), follow_up()))
    yield _told("one nobody judged does too", "quiet", 13, (at(3, 7, 15), follow_up(effective=None)))
    yield _told("an ineffective one does not", "quiet", 11, (at(3, 7, 15), follow_up(effective=False)))
    before = follow_up(done_at=at(3, 4))
    yield _told("one from before the ownership does not", "quiet", 11, (at(3, 7, 15), before))
    yield _told("one of the last minute", "quiet", 16, (at(3, 10, 23, 59), follow_up()))
    yield _told("a new owner begins anew", "quiet", 14, (at(3, 8, 9), edit(owner_id="cai")))
    yield _told("never is never", "never", None, (at(3, 6), edit(notes="x")))
    yield _told(
        "warned three times, each of whom it concerns", "ladder", 14,
        warned=((march(7), 7), (march(11), 3), (march(13), 1)),
    )  # fmt: skip
    yield _told(
        "warned again after a follow-up", "ladder", 17, (at(3, 8), follow_up()),
        warned=((march(7), 7), (march(10), 7), (march(14), 3), (march(16), 1)),
    )  # fmt: skip


def _opportunities() -> Iterator[Scenario]:
    yield _told("a deal that is opened is progress", "stuck", 13, (at(3, 7), deal()))
    yield _told("one that moves on too", "stuck", 15, (at(3, 7), deal()), (at(3, 9), move("need")))
    yield _told("one that is closed is none", "stuck", 11, (at(3, 7), deal()), (at(3, 9), lose()))
    yield _told(
        "the one that is still open counts", "stuck", 12,
        (at(3, 6), deal()), (at(3, 7), deal("other")), (at(3, 9), lose("other")),
    )  # fmt: skip
    yield _told("while a deal is open", "dealless", None, (at(3, 6), deal()))
    yield _told("from when the last one ended", "dealless", 15, (at(3, 6), deal()), (at(3, 9), lose()))
    yield _told(
        "one of two is still open", "dealless", None,
        (at(3, 6), deal()), (at(3, 6), deal("other")), (at(3, 7), lose()),
    )  # fmt: skip
    yield _told(
        "an old lost one does not protect", "dealless", 14,
        (at(3, 5), deal()), (at(3, 6), lose()), (at(3, 8), edit(owner_id="cai")),
    )  # fmt: skip
    yield _told(
        "one that is open when the owner changes", "dealless", None,
        (at(3, 5), deal()), (at(3, 8), edit(owner_id="cai")),
    )  # fmt: skip
    yield _told(
        "reopened it is open", "dealless", None,
        (at(3, 6), deal(pipeline="status")), (at(3, 7), lose()), (at(3, 8), reopen()),
    )  # fmt: skip
    yield _told("whoever has bought", "undealt", None, (at(3, 7), win))
    yield _told(
        "but not from this owner", "undealt", 14, (at(3, 6), win), (at(3, 8), edit(owner_id="cai"))
    )  # fmt: skip


def _contracts() -> Iterator[Scenario]:
    yield _told("by the end of the contract", "ended", 11, fields={"contract_ends_on": march(8)})
    yield _told("without one by taking ownership", "ended", 8)
    late = at(3, 5, 23, 59, second=59)
    for name, born in (("at ten", at(3, 5)), ("in the last second", late), ("in the first", at(3, 5, 0))):
        yield _told(
            f"a long ended one, not in the first night: {name}", "ended", 7,
            born=born, fields={"contract_ends_on": date(2020, 1, 1)},
        )  # fmt: skip
    yield _told(
        "one that runs on", "ended", None,
        fields={"contract_ends_on": date(2026, 12, 31)}, foreseen=date(2027, 1, 3),
    )  # fmt: skip
    yield _told("one that was prolonged", "ended", 13, (at(3, 6), edit(contract_ends_on=march(10))))
    yield _told(
        "several long past, and new", "ended", 7,
        fields={"contract_ends_on": date(2020, 1, 1), "tags": ["ended", "one", "two", "three"]}, rules=("ended",),
    )  # fmt: skip


def _exempt() -> Iterator[Scenario]:
    yield _told("protected through a day", "kept", 11, (at(3, 6), protect(march(10))))
    yield _told("protected in vain", "bare", 8, (at(3, 6), protect(march(10))))
    yield _told("protected too short", "kept", 8, (at(3, 6), protect(march(7))))
    yield _told("protected no more", "kept", 10, (at(3, 6), protect(march(14))), (at(3, 9), unprotect))
    yield _told("a new owner's is not protected", "kept", 11,
                (at(3, 6), protect(march(14))), (at(3, 8), edit(owner_id="cai")))  # fmt: skip
    for name, until, falls in (
        ("into a day", at(3, 9, 18), 10), ("to its first moment", at(3, 9, 0), 9), ("past it", at(3, 9, 0, 1), 10),
    ):  # fmt: skip
        yield _told(f"shared {name}", "kept", falls, (at(3, 6), share(until)))
    yield _told("shared for good", "kept", None, (at(3, 6), share()))
    yield _told("shared no more", "kept", 10, (at(3, 6), share()), (at(3, 9), unshare))
    yield _told("with an open deal", "kept", 10, (at(3, 6), deal()), (at(3, 9), lose()))
    yield _told("who has dealt", "kept", None, (at(3, 6), win))
    yield _told("who has not", "kept", 8)
    owes, paid = edit(has_receivables=True), edit(has_receivables=False)
    yield _told("who owes", "kept", None, (at(3, 6), owes))
    yield _told("who has paid", "kept", 10, (at(3, 6), owes), (at(3, 9), paid))
    yield _told(
        "a transfer waits", "kept", 10,
        (at(3, 6), pending(waits=True)), (at(3, 9), pending(waits=False)),
    )  # fmt: skip
    yield _told("exempt in vain", "bare", 8, (at(3, 6), share()), (at(3, 6), owes), (at(3, 6), deal()))


def _several() -> Iterator[Scenario]:
    three = {"tags": ["one", "two", "three"]}
    yield _told("two of three rules", "", 8, fields=three, rules=("two", "three"))
    yield _told(
        "all three on one day", "", 10, (at(3, 7), follow_up()), (at(3, 7), deal()), (at(3, 7, 11), lose()),
        fields=three, rules=("one", "two", "three"),
    )  # fmt: skip
    for name, tags, level, pools in (
        ("priority before narrowness", ["vip", "narrow"], "A", ("vip", "narrow")),
        ("narrow before wide", ["narrow", "old"], "A", ("narrow", "old")),
        ("the oldest of equals", ["young", "old"], None, ("old", "young")),
        ("not the one that is closed", ["closed", "young"], None, ("young",)),
        ("all of them", ["young", "closed", "old", "narrow", "vip"], "A", ("vip", "narrow", "old", "young")),
    ):
        yield Scenario(
            name=name, pool=pools[0], born=at(3, 5), fields={"tags": tags, "level": level}, falls=march(8),
            rules=("ranked",), others=pools[1:],
        )  # fmt: skip
    yield Scenario(
        name="what it belongs to now", pool="vip", born=at(3, 5), fields={"tags": ["old"]},
        acts=((at(3, 6), edit(tags=["old", "vip"])),), falls=march(8), rules=("ranked",), others=("old",),
    )  # fmt: skip
    yield Scenario(name="nowhere", pool="", born=at(3, 5), fields={"tags": ["quiet"]})


def _levels() -> Iterator[Scenario]:
    """From 21 February: A has fifteen days, B thirty, one without a level ten, C and D all the time in the world."""
    for level, falls in (
        ("A", march(9)), ("B", date(2026, 3, 24)), (None, march(4)), ("C", None), ("D", None),
    ):  # fmt: skip
        yield Scenario(
            name=f"level {level}", pool="levels", born=at(2, 21), fields={"level": level}, falls=falls,
            rules=("A" if level == "A" else "B" if level == "B" else "unset",) if falls else (),
        )  # fmt: skip
    yield Scenario(
        name="promoted late", pool="levels", born=at(2, 21), fields={"level": "B"},
        acts=((at(3, 12), edit(level="A")),), falls=march(13), rules=("A",),
    )  # fmt: skip


def _november() -> Iterator[Scenario]:
    """On Sunday, 1 November, the day has 25 hours in New York."""
    yield from _boundaries(
        lambda month, day, zone: at(month, day, 23, 59, zone, second=59, microsecond=999_000),
        date(2026, 10, 29),
    )
    for name, moment in (
        ("the first one o'clock", at(11, 1, 1, 30, NEW_YORK)), ("the second", at(11, 1, 1, 30, NEW_YORK, fold=1)),
    ):  # fmt: skip
        yield Scenario(
            name=f"from {name} of the long day", pool="ny", born=moment, fields={"tags": ["kept"]},
            falls=date(2026, 11, 4), rules=("kept",),
        )  # fmt: skip
    for key, zone in ZONES.items():
        yield Scenario(
            name=f"{key}: protected through the long day", pool=key, born=at(10, 28, 9, 0, zone),
            fields={"tags": ["kept"]}, acts=((at(10, 29, 9, 0, zone), protect(date(2026, 11, 1))),),
            falls=date(2026, 11, 2), rules=("kept",),
        )  # fmt: skip


_YEAR: Final = Policy(
    pools=(
        _zoned("sh", rules=[*_ZONED, *_SHANGHAI]),
        _zoned("ny", rules=_ZONED),
        _zoned("utc", rules=_ZONED),
        attrs.evolve(_ranked("closed", priority=9), enabled=False),
        _ranked("old"), _ranked("young"), _ranked("narrow", more=True), _ranked("vip", priority=5),
    )
)  # fmt: skip
_LEVELS: Final = Policy(
    pools=(
        pool(
            "levels",
            rules=[
                rule("A", limit=15, where=F.level == "A", warnings=[]),
                rule("B", limit=30, where=F.level == "B", warnings=[]),
                rule("unset", limit=10, where=F.level.is_null(), warnings=[]),
                rule("C", limit="never", where=F.level.one_of(["C", "D"]), warnings=[]),
            ],
        ),
    )
)

SEASONS: Final = {
    "march": Season(policy=_YEAR, first=march(4), last=march(16), scenarios=tuple(_march())),
    "levels": Season(policy=_LEVELS, first=date(2026, 2, 20), last=march(25), scenarios=tuple(_levels())),
    "november": Season(
        policy=attrs.evolve(
            _YEAR, pools=(_zoned("sh", rules=[*_ZONED, *_SHANGHAI[:3]]), *_YEAR.pools[1:3])
        ), first=date(2026, 10, 27), last=date(2026, 11, 7),
        scenarios=tuple(_november()),
    ),
}  # fmt: skip
