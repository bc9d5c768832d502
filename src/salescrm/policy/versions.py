"""Versions of a policy, each from its moment on: which one decides at a given moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cached_property

import attrs

from salescrm.errors import InvalidDefinition
from salescrm.kinds import Kind
from salescrm.policy.policy import Policy
from salescrm.schema import nearest
from salescrm.values import moment as as_moment

__all__ = ["Policies"]


def _in_order(versions: Iterable[Policy]) -> tuple[Policy, ...]:
    def begins(policy: Policy) -> tuple[bool, float]:
        start = policy.effective_from
        return (start is not None, start.timestamp() if start is not None else 0.0)

    return tuple(sorted(versions, key=begins))


@attrs.frozen
class Policies:
    """
    The versions of one policy, earliest first.

    The earliest holds from the beginning, whatever it says; each later one from its ``effective_from`` on.

    Raises:
        InvalidDefinition: There is none, or two are of the same version or from the same moment.
    """

    versions: tuple[Policy, ...] = attrs.field(converter=_in_order)

    def __attrs_post_init__(self) -> None:
        problems = []
        if not self.versions:
            problems.append("there is no version of it")
        for before, after in zip(self.versions, self.versions[1:], strict=False):
            if after.version <= before.version:
                problems.append(
                    f"version {after.version} is to follow version {before.version}; count upward"
                )
            if after.effective_from is None or after.effective_from == before.effective_from:
                problems.append(f"version {after.version} needs a moment of its own from which it holds")
        if problems:
            raise InvalidDefinition("Policy", tuple(problems))

    def at(self, moment: datetime) -> Policy:
        """The version that decides at *moment*.

        Raises:
            InvalidValue: *moment* has no time zone.
        """
        moment = as_moment(moment, entity="Policies", field="moment")
        later = [one.effective_from for one in self.versions[1:]]
        return self.versions[bisect_right(later, moment, key=lambda start: start or moment)]

    def check_calendars(self, given: Collection[str]) -> None:
        """
        Whether every working calendar that a rule names is there: among those *given* by the host, or the version's own.

        Raises:
            InvalidDefinition: One is not; every such rule is named.
            Misconfigured: One asks for a country, and the package ``holidays`` is not installed.
        """
        problems = []
        for version in self.versions:
            known = (*given, *(one.key for one in version.calendars))
            named = [
                (f"pool {pool.key}: rule {rule.key}", rule.calendar)
                for pool in version.pools
                for rule in pool.rules
            ]
            named += [(f"assignment {rule.key}", rule.calendar) for rule in version.assignments]
            for place, calendar in named:
                if calendar is None:
                    continue
                if calendar not in known:
                    near = ", ".join(nearest(calendar, known)) or "none"
                    problem = f"calendar is {calendar!r}, which neither the policy nor connect() has; nearest: {near}"
                    problems.append(f"{place}: {problem}")
                elif calendar not in given:
                    version.calendar(calendar)
        if problems:
            raise InvalidDefinition("Policy", tuple(problems))

    @cached_property
    def extra_kinds(self) -> Mapping[str, Mapping[str, Kind]]:
        """The custom fields that any version declares, as `catalog.schemas` takes them: what was stored stays stored."""
        kinds: dict[str, dict[str, Kind]] = {}
        for version in self.versions:
            for entity, declared in version.extra_kinds.items():
                kinds.setdefault(entity, {}).update(declared)
        return kinds

    @property
    def last(self) -> Policy:
        """The version that holds in the end."""
        return self.versions[-1]
