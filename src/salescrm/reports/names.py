"""What the groups of a report are called, and which are listed although nothing was counted for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import attrs

from salescrm.entities import Member, Product, Team
from salescrm.entities.base import RecordT
from salescrm.labels import Label
from salescrm.query import F
from salescrm.reports.groups import Dimension
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["BLANK", "Name", "name_of", "names"]

#: The key of the deals that belong to no group.
BLANK: Final = "(blank)"


@attrs.frozen
class Name:
    """What a group is called: by programs, by its record's id, and by people where they call it something else."""

    key: str
    id: Id | None = None
    label: Label | None = None
    #: Listed even if nothing was counted for it.
    listed: bool = False


def names(unit: UnitOfWork, by: Dimension) -> Mapping[Any, Name]:
    """The names of the groups that are records, by id."""
    match by:
        case "owner":
            # A manager who sells nothing is missing from no ranking.
            return {
                one.id: Name(one.name, one.id, listed=one.active and (not one.roles or "rep" in one.roles))
                for one in _all(unit, Member)
            }
        case "manager":
            members = list(_all(unit, Member))
            managers = {one.manager_id for one in members if one.active}
            return {one.id: Name(one.name, one.id, listed=one.id in managers) for one in members}
        case "team":
            return {one.id: Name(one.name, one.id, listed=True) for one in _all(unit, Team)}
        case "product":
            return {
                one.id: Name(one.name, one.id, listed=one.status == "active") for one in _all(unit, Product)
            }
        case "industry" | "close_quarter":
            return {}


def name_of(unit: UnitOfWork, by: Dimension, group: Any, known: Mapping[Any, Name]) -> Name:
    """What *group* is called; by its id where its record is not to be seen."""
    if group is None:
        return Name(BLANK, label=Label(BLANK, "（空）"))
    if group in known:
        return known[group]
    if isinstance(group, date):
        return Name(f"{group.year}Q{(group.month + 2) // 3}")
    if by == "industry":
        return Name(group, label=unit.policy.label_of("industry", group))
    return Name(group, Id(group))


def _all(unit: UnitOfWork, entity: type[RecordT]) -> Iterable[RecordT]:
    return unit.repository(entity).stream(order=[F.name])
