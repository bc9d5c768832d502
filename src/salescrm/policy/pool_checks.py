"""What makes pools sound ones: each check names the pool, the rule, the setting, its value and what would be fine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, get_args
from zoneinfo import ZoneInfo

import attrs

from salescrm.entities.base import Record
from salescrm.labels import Label
from salescrm.policy.calendars import WorkCalendar, calendar_problems
from salescrm.policy.pools import (
    Anchor,
    ClaimLimits,
    DealsOfFallen,
    Exemption,
    Pool,
    Protection,
    RecycleRule,
    Told,
)
from salescrm.policy.questions import schemas_of, unaskable
from salescrm.query import Where
from salescrm.query.nodes import And
from salescrm.schema import Schema, nearest
from salescrm.stages.checks import is_key

if TYPE_CHECKING:
    from salescrm.policy.policy import Policy

__all__ = ["is_zone", "pool_problems", "work_calendar_problems"]

#: Ten years: whoever means more means never.
_MOST_DAYS: Final = 3_650
#: More than a member can own, or claim.
_MOST: Final = 1_000_000
_OF_CONTACTS: Final = "contact."
#: What people need of a customer in a pool in order to see it there; what else has no empty value can't be hidden either.
_MUST_SHOW: Final = frozenset(
    {*(a.name for a in attrs.fields(Record)), "number", "owner_id", "pool_id", "entered_pool_at"}
)


def work_calendar_problems(policy: Policy) -> Iterator[str]:
    """Everything that is wrong with the working calendars of *policy*."""
    yield from _doubles("calendars", (one.key for one in policy.calendars))
    for calendar in policy.calendars:
        for problem in (*_named(calendar), *calendar_problems(calendar)):
            yield f"calendar {calendar.key}: {problem}"


def pool_problems(policy: Policy) -> Iterator[str]:
    """Everything that is wrong with the pools of *policy*."""
    yield from _doubles("pools", (pool.key for pool in policy.pools))
    if policy.pools and not any(pool.enabled for pool in policy.pools):
        yield "pools: none of them is enabled; the last open pool can't be closed"
    known = schemas_of(policy.extra_kinds) if policy.pools else {}
    for pool in policy.pools:
        for problem in _pool(pool, known):
            yield f"pool {pool.key}: {problem}"


def is_zone(name: object) -> bool:
    """Whether *name* is an IANA time zone."""
    try:
        ZoneInfo(name)  # type: ignore[arg-type]  # what is no text is refused by it too
    except (KeyError, OSError, ValueError, TypeError):  # unknown, a folder, a way out of the folder, no text
        return False
    return True


def _pool(pool: Pool, known: Mapping[str, Schema]) -> Iterator[str]:
    yield from _named(pool)
    yield from _askable("where", pool.where, known)
    if type(pool.priority) is not int:
        yield f"priority is {pool.priority!r}; a whole number is wanted"
    yield from _flags(pool, "everyone", "enabled")
    for name in ("members", "teams", "admins"):
        yield from _ids(name, getattr(pool, name))
    yield from _hidden(pool, known)
    if pool.time_zone is not None and not is_zone(pool.time_zone):
        yield f"time_zone is {pool.time_zone!r}; an IANA name such as Asia/Shanghai is wanted"
    yield from _words("exempt", pool.exempt, get_args(Exemption))
    if pool.opportunities not in get_args(DealsOfFallen):
        yield f"opportunities is {pool.opportunities!r}; keep or follow is wanted"
    for problem in (*_limits(pool.claims, known), *_reserved(pool.claims)):
        yield f"claims: {problem}"
    for problem in _protection(pool.protection):
        yield f"protection: {problem}"
    yield from _doubles("rules", (rule.key for rule in pool.rules))
    wrong = [(rule.key, problem) for rule in pool.rules for problem in _rule(rule, known)]
    for key, problem in wrong:
        yield f"rule {key}: {problem}"
    for one, other in combinations(pool.rules if not wrong else (), 2):
        yield from _contradiction(pool, one, other)


def _named(thing: Pool | RecycleRule | WorkCalendar) -> Iterator[str]:
    if not is_key(thing.key):
        yield f"{thing.key!r} is no key; 1 to 64 characters that show are wanted"
    if not isinstance(thing.label, Label) or thing.label.is_blank:
        yield "a name in both languages is wanted"


def _askable(name: str, where: Where, known: Mapping[str, Schema]) -> Iterator[str]:
    if (why := unaskable(where, known, "customers")) is not None:
        yield f"{name}: {why}"


def _hidden(pool: Pool, known: Mapping[str, Schema]) -> Iterator[str]:
    may_hide = [
        *_hideable(known["customers"]),
        *(_OF_CONTACTS + name for name in _hideable(known["contacts"])),
    ]
    yield from _doubles("hidden_fields", pool.hidden_fields)
    for name in pool.hidden_fields:
        if name in may_hide:
            continue
        collection = "contacts" if str(name).startswith(_OF_CONTACTS) else "customers"
        if str(name).removeprefix(_OF_CONTACTS) in known[collection].fields:
            yield f"hidden_fields: {name} can't be hidden; people have to see it, or it has no empty value"
        else:
            near = ", ".join(nearest(str(name), may_hide)) or "none"
            yield f"hidden_fields: there is no {name!r}; nearest: {near}"


def _hideable(schema: Schema) -> Iterator[str]:
    """The fields of which nothing shows when they are empty."""
    for name, field in schema.fields.items():
        if name not in _MUST_SHOW and not field.required:
            blank = getattr(schema.blank, name)
            if blank is None or blank in ((), {}) or attrs.has(type(blank)):
                yield name


def _rule(rule: RecycleRule, known: Mapping[str, Schema]) -> Iterator[str]:
    yield from _named(rule)
    yield from _words("anchor", (rule.anchor,), get_args(Anchor))
    if rule.limit != "never" and not _is_whole(rule.limit, 1, _MOST_DAYS):
        yield f'limit is {rule.limit!r}; 1 to {_MOST_DAYS} days are wanted, or "never"'
    if rule.calendar is not None and not is_key(rule.calendar):
        yield f"calendar is {rule.calendar!r}; the key of a working calendar is wanted"
    yield from _askable("where", rule.where, known)
    if rule.exempt is not None:
        yield from _words("exempt", rule.exempt, get_args(Exemption))
    yield from _warnings(rule)


def _warnings(rule: RecycleRule) -> Iterator[str]:
    yield from _doubles("warnings", (f"{one.days} days before, to {one.to}" for one in rule.warnings))
    for warning in rule.warnings:
        if not _is_whole(warning.days, 1, _MOST_DAYS):
            yield f"warnings: days is {warning.days!r}; 1 or more days before it falls are wanted"
        # A limit in working days lasts longer than so many days, how much longer is for its calendar to say.
        elif type(rule.limit) is int and rule.calendar is None and warning.days >= rule.limit:
            yield f"warnings: {warning.days} days before is no warning with a limit of {rule.limit}; fewer are wanted"
        yield from _words("warnings: to", (warning.to,), get_args(Told))
    if rule.limit == "never" and rule.warnings:
        yield "warnings: of what never happens nobody can be warned; leave them out"


def _contradiction(pool: Pool, one: RecycleRule, other: RecycleRule) -> Iterator[str]:
    """Two rules that say different things of the same customers."""
    has_never = "never" in (one.limit, other.limit)
    if one.anchor != other.anchor or (one.calendar != other.calendar and not has_never):
        return
    if one.limit == other.limit or _parts(one.where) != _parts(other.where):
        return
    if has_never or set(pool.exempt_of(one)) == set(pool.exempt_of(other)):
        yield (
            f"rules {one.key} and {other.key} contradict each other: for the same customers and from the same day on, "
            f"one says {one.limit}, the other {other.limit}"
        )


def _parts(where: Where) -> frozenset[Where]:
    """What *where* asks for, in whatever order it says so."""
    return frozenset(where.parts) if isinstance(where, And) else frozenset({where})


def _limits(claims: ClaimLimits, known: Mapping[str, Schema]) -> Iterator[str]:
    for name in ("cap", "daily", "weekly"):
        value = getattr(claims, name)
        if value is not None and not _is_whole(value, 1, _MOST):
            yield f"{name} is {value!r}; 1 or more is wanted, or none for no limit"
    for name in ("cool_down", "arrival"):
        value = getattr(claims, name)
        if not _is_whole(value, 0, _MOST_DAYS):
            yield f"{name} is {value!r}; 0 to {_MOST_DAYS} days are wanted"
    yield from _flags(claims, "cool_down_team")
    yield from _askable("counted", claims.counted, known)
    for less, more in (("daily", "weekly"), ("daily", "cap")):
        low, high = getattr(claims, less), getattr(claims, more)
        if _is_whole(low, 1, _MOST) and _is_whole(high, 1, _MOST) and high < low:
            yield f"{more} is {high}, below {less}, which is {low}; {low} or more is wanted"


def _reserved(claims: ClaimLimits) -> Iterator[str]:
    for name in ("reserved_members", "reserved_teams"):
        yield from _ids(name, getattr(claims, name))
    if claims.arrival and not claims.reserved_members and not claims.reserved_teams:
        yield (
            f"arrival is {claims.arrival!r}, but the first days are reserved for nobody; "
            "reserved_members or reserved_teams is wanted"
        )


def _protection(protection: Protection) -> Iterator[str]:
    if protection.cap is not None and not _is_whole(protection.cap, 1, _MOST):
        yield f"cap is {protection.cap!r}; 1 or more is wanted, or none for no limit"
    if not _is_whole(protection.days, 1, _MOST_DAYS):
        yield f"days is {protection.days!r}; 1 to {_MOST_DAYS} days are wanted"


def _ids(name: str, ids: object) -> Iterator[str]:
    if not isinstance(ids, tuple):
        yield f"{name} is {ids!r}; a list of ids is wanted"
        return
    yield from _doubles(name, ids)
    for id in ids:
        if not is_key(id):
            yield f"in {name}, {id!r} is no id; 1 to 64 characters that show are wanted"


def _words(name: str, given: Iterable[object], known: tuple[str, ...]) -> Iterator[str]:
    words = tuple(given)
    yield from _doubles(name, words)
    for word in words:
        if word not in known:
            yield f"{name} is {word!r}; one of {', '.join(known)} is wanted"


def _flags(thing: object, *names: str) -> Iterator[str]:
    for name in names:
        if type(getattr(thing, name)) is not bool:
            yield f"{name} is {getattr(thing, name)!r}; true or false is wanted"


def _doubles(where: str, keys: Iterable[object]) -> Iterator[str]:
    for key, times in Counter(map(str, keys)).items():
        if times > 1:
            yield f"in {where}, {key} stands {times} times"


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
