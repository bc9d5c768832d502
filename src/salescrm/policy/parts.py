"""The small parts of a policy: how numbers look, what custom fields there are, how soon to follow up."""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias, assert_never

import attrs

from salescrm.entities.follow_ups import Priority
from salescrm.kinds import Kind
from salescrm.labels import Label

__all__ = ["ExtraEntity", "ExtraField", "ExtraKind", "FollowUpWindows", "NumberedEntity", "Numbering"]

NumberedEntity: TypeAlias = Literal["Customer", "Opportunity", "FollowUp"]
ExtraEntity: TypeAlias = Literal[
    "Customer", "Contact", "Product", "Opportunity", "FollowUp", "Member", "Team"
]
ExtraKind: TypeAlias = Literal["text", "whole", "flag", "day"]


@attrs.frozen(kw_only=True)
class Numbering:
    """
    How an entity's numbers look: *prefix*, the day by the pattern *day*, a running number of at least so many *digits*.

    ``C20240315001`` is C, %Y%m%d and 3 digits; the thousandth of that day is C202403151000.
    """

    entity: NumberedEntity
    prefix: str
    #: Of %Y %y %m %d, and signs between them; empty for numbers that run on from day to day.
    day: str = "%Y%m%d"
    digits: int = 3
    #: How many numbers a process takes at a time: more are faster, and leave larger gaps when it ends.
    block: int = 20

    def series(self, day: date) -> str:
        """What the numbers of *day* have in common; each series runs from 1 for itself."""
        shown = self.day.replace("%Y", f"{day.year:04}").replace("%y", f"{day.year % 100:02}")
        return self.prefix + shown.replace("%m", f"{day.month:02}").replace("%d", f"{day.day:02}")

    def number(self, day: date, running: int) -> str:
        """The number of the *running*-th record of the series of *day*, from 1."""
        return f"{self.series(day)}{running:0{self.digits}}"


@attrs.frozen(kw_only=True)
class ExtraField:
    """A host's own field of an entity: what it is called in ``extra``, and by people."""

    entity: ExtraEntity
    name: str
    kind: ExtraKind
    label: Label

    @property
    def stored_as(self) -> Kind:
        """What questions and stores take it for."""
        return Kind(self.kind)


@attrs.frozen(kw_only=True)
class FollowUpWindows:
    """In how many calendar days a customer should hear from us again, by the follow-up's priority."""

    high: int = 3
    medium: int = 7
    low: int = 14

    def of(self, priority: Priority) -> int:
        """The days for *priority*."""
        match priority:
            case "high":
                return self.high
            case "medium":
                return self.medium
            case "low":
                return self.low
        assert_never(priority)
