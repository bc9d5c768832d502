"""
salescrm: a complete sales CRM inside your own program.

``connect`` opens one, ``begin`` or ``join`` a unit of work, and its services do the rest; ``F`` asks questions.
Nothing happens at import: a name is loaded when it is first used, an engine when it is connected to.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from salescrm.crm import Crm, Work, connect
    from salescrm.entities import (
        Attachment,
        ChangeEntry,
        Collaborator,
        Competitor,
        Contact,
        Customer,
        FollowUp,
        KeyDate,
        Member,
        Opportunity,
        OpportunityLine,
        OutboxEvent,
        Place,
        Product,
        Record,
        RemindBefore,
        StageChange,
        Team,
    )
    from salescrm.errors import (
        Conflict,
        CrmError,
        Duplicate,
        Forbidden,
        HookRefused,
        Invalid,
        InvalidCursor,
        InvalidDefinition,
        InvalidQuestion,
        InvalidValue,
        Misconfigured,
        MoveRefused,
        NotFound,
        Refused,
        SchemaOutdated,
        StaleWrite,
        StateRefused,
        StoreError,
        TenantRequired,
        Transient,
        UnknownField,
        WorkEnded,
    )
    from salescrm.hooks import Refuse, hookimpl
    from salescrm.kinds import Extra
    from salescrm.page import Page
    from salescrm.policy import Policy
    from salescrm.query import (
        EVERYTHING,
        NOTHING,
        F,
        Query,
        Tally,
        Where,
        ago,
        bucket,
        contains_text,
        count,
        days,
        distinct,
        highest,
        lowest,
        mean,
        now,
        start_of,
        today,
        total,
    )
    from salescrm.stages import Pipeline, Requirement, Stage
    from salescrm.values import Id, Money, Region

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "Attachment",
    "ChangeEntry",
    "Collaborator",
    "Competitor",
    "Conflict",
    "Contact",
    "Crm",
    "CrmError",
    "Customer",
    "Duplicate",
    "Extra",
    "F",
    "FollowUp",
    "Forbidden",
    "HookRefused",
    "Id",
    "Invalid",
    "InvalidCursor",
    "InvalidDefinition",
    "InvalidQuestion",
    "InvalidValue",
    "KeyDate",
    "Member",
    "Misconfigured",
    "Money",
    "MoveRefused",
    "NotFound",
    "Opportunity",
    "OpportunityLine",
    "OutboxEvent",
    "Page",
    "Pipeline",
    "Place",
    "Policy",
    "Product",
    "Query",
    "Record",
    "Refuse",
    "Refused",
    "Region",
    "RemindBefore",
    "Requirement",
    "SchemaOutdated",
    "Stage",
    "StageChange",
    "StaleWrite",
    "StateRefused",
    "StoreError",
    "Tally",
    "Team",
    "TenantRequired",
    "Transient",
    "UnknownField",
    "Where",
    "Work",
    "WorkEnded",
    "ago",
    "bucket",
    "connect",
    "contains_text",
    "count",
    "days",
    "distinct",
    "highest",
    "hookimpl",
    "lowest",
    "mean",
    "now",
    "start_of",
    "today",
    "total",
]

#: Where each public name is at home.
_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "salescrm.crm": "Crm Work connect",
        "salescrm.entities": "Attachment ChangeEntry Collaborator Competitor Contact Customer FollowUp KeyDate Member Opportunity OpportunityLine OutboxEvent Place Product Record RemindBefore StageChange Team",
        "salescrm.errors": "Conflict CrmError Duplicate Forbidden HookRefused Invalid InvalidCursor InvalidDefinition InvalidQuestion InvalidValue Misconfigured MoveRefused NotFound Refused SchemaOutdated StaleWrite StateRefused StoreError TenantRequired Transient UnknownField WorkEnded",
        "salescrm.hooks": "Refuse hookimpl",
        "salescrm.kinds": "Extra",
        "salescrm.page": "Page",
        "salescrm.policy": "Policy",
        "salescrm.query": "EVERYTHING F NOTHING Query Tally Where ago bucket contains_text count days distinct highest lowest mean now start_of today total",
        "salescrm.stages": "Pipeline Requirement Stage",
        "salescrm.values": "Id Money Region",
    }
)


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used (PEP 562): a program that imports us may never use us."""
    for home, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
