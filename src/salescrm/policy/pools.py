"""Pools as data: which customers each takes back and when, who may claim from it and how many; the rules are in `salescrm.rules`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.labels import Label
from salescrm.query import EVERYTHING, Where
from salescrm.query.nodes import Always, And, Not, Or

__all__ = [
    "Anchor",
    "ClaimLimits",
    "DealsOfFallen",
    "Exemption",
    "Never",
    "Pool",
    "PoolWarning",
    "Protection",
    "RecycleRule",
    "Told",
    "narrowness",
    "ranked",
]

#: What a recycle rule counts from; see `salescrm.rules.recycling`.
Anchor: TypeAlias = Literal["no_follow_up", "no_progress", "no_opportunity", "no_deal", "contract_ended"]
#: What keeps a customer from falling, where the policy says so.
Exemption: TypeAlias = Literal[
    "protected", "open_opportunity", "has_dealt", "receivables", "shared", "transfer_pending"
]
#: Said of a limit: a customer never falls by it.
Never: TypeAlias = Literal["never"]
#: Who a warning goes to.
Told: TypeAlias = Literal["owner", "manager", "admins"]
#: Whether a customer's open opportunities keep their owner when it falls, or follow it.
DealsOfFallen: TypeAlias = Literal["keep", "follow"]


@attrs.frozen(kw_only=True)
class PoolWarning:
    """So many *days* before the day on which a customer would fall, tell *to*."""

    days: int
    to: Told = "owner"


_WARNINGS: Final = (PoolWarning(days=7), PoolWarning(days=3), PoolWarning(days=1))


def _warnings(rule: RecycleRule) -> tuple[PoolWarning, ...]:
    """Those that there is time for."""
    return tuple(one for one in _WARNINGS if type(rule.limit) is int and one.days < rule.limit)


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    # A text would fall apart into its letters: it is left for the checks to refuse.
    return given if isinstance(given, str) else tuple(given)  # type: ignore[return-value]  # as said


def _exempt(given: Iterable[Exemption]) -> tuple[Exemption, ...]:
    return tuple(given)


@attrs.frozen(kw_only=True)
class RecycleRule:
    """
    Why a customer falls: *limit* days have passed since its *anchor*, and *where* holds.

    With an anchor on day D, D + *limit* is the last safe day; the customer falls in the run of the day after.

    Attributes:
        limit: Days of the calendar, or working days of the policy's *calendar* of that key; ``"never"`` says that
            these customers do not fall by this anchor.
        where: Which of the pool's customers it is for.
        exempt: What keeps a customer from falling by it; None for what the pool says.
        warnings: The ladder that leads there: who is told how many days before; the owner 7, 3 and 1 days before,
            as far as the limit leaves time for it.
    """

    key: str
    label: Label
    anchor: Anchor
    limit: int | Never
    calendar: str | None = None
    where: Where = EVERYTHING
    exempt: tuple[Exemption, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_exempt)
    )
    warnings: tuple[PoolWarning, ...] = attrs.field(
        default=attrs.Factory(_warnings, takes_self=True), converter=tuple[PoolWarning, ...]
    )


@attrs.frozen(kw_only=True)
class ClaimLimits:
    """
    How many customers a member may have, and how soon; what is None or 0 limits nothing.

    Attributes:
        cap: The most customers that a member may own, of those that *counted* holds for.
        daily: The most that a member may claim in a day; *weekly* in a week from Monday, in the pool's time zone.
        cool_down: Days that a member waits for a customer that they have owned; with *cool_down_team* all of a team.
        arrival: Days since it entered the pool in which only *reserved_members* and *reserved_teams* may claim it.
    """

    cap: int | None = None
    counted: Where = EVERYTHING
    daily: int | None = None
    weekly: int | None = None
    cool_down: int = 0
    cool_down_team: bool = False
    arrival: int = 0
    reserved_members: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    reserved_teams: tuple[str, ...] = attrs.field(default=(), converter=_texts)


@attrs.frozen(kw_only=True)
class Protection:
    """How a member may protect customers from falling: *cap* of them at a time (None: any number), *days* at most."""

    cap: int | None = None
    days: int = 90


@attrs.frozen(kw_only=True)
class Pool:
    """
    A pool: the customers that nobody owns, and how they come and go.

    Attributes:
        where: Which customers belong to it.
        priority: Of several pools that a customer belongs to, the one of the highest priority takes it; then the
            narrowest, that with the most conditions (of alternatives, those of the widest count); then the oldest, that
            which stands first.
        members: Who may claim from it, by id; *teams* those of a team and the teams below it; or *everyone*.
        admins: Who assigns its customers to others.
        hidden_fields: A customer's fields that ``work.pools`` does not show while it is in the pool; a contact's as
            ``contact.mobile``.  The pool's admins see them.
        time_zone: IANA name, in which its days begin; the policy's where it is None.
        rules: Why customers fall into it; any of them is enough.
        exempt: What keeps a customer from falling, for rules that don't say otherwise.
        opportunities: Whether open opportunities keep their owner when the customer falls, or follow it.
    """

    key: str
    label: Label
    where: Where = EVERYTHING
    priority: int = 0
    everyone: bool = False
    members: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    teams: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    admins: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    hidden_fields: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    enabled: bool = True
    time_zone: str | None = None
    rules: tuple[RecycleRule, ...] = attrs.field(default=(), converter=tuple[RecycleRule, ...])
    exempt: tuple[Exemption, ...] = attrs.field(default=("protected", "transfer_pending"), converter=_exempt)
    claims: ClaimLimits = ClaimLimits()
    protection: Protection = Protection()
    opportunities: DealsOfFallen = "keep"

    def exempt_of(self, rule: RecycleRule) -> tuple[Exemption, ...]:
        """What keeps a customer from falling by *rule*."""
        return self.exempt if rule.exempt is None else rule.exempt


def narrowness(where: Where) -> int:
    """How many conditions *where* makes: of alternatives, as many as the widest of them."""
    return _narrowness(where, holds=True)


def _narrowness(where: Where, *, holds: bool) -> int:
    match where:
        case And(parts) | Or(parts):
            found = [_narrowness(part, holds=holds) for part in parts]
            # Not all of these is: not this one, or not that one.
            return sum(found) if isinstance(where, And) == holds else min(found, default=0)
        case Not(part):
            return _narrowness(part, holds=not holds)
        case Always():
            return 0
        case _:
            return 1


def ranked(pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """The enabled ones of *pools*, in the order in which a customer is offered to them."""
    enabled = [pool for pool in pools if pool.enabled]
    return tuple(sorted(enabled, key=lambda pool: (-pool.priority, -narrowness(pool.where))))
