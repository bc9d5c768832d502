"""Policy: a host's rules as data, checked when built, written in Python, TOML or JSON."""

from __future__ import annotations

from salescrm.policy.approvals import ApprovalFlow, ApprovalStep, ApprovedAct, Superior
from salescrm.policy.assignments import AssignmentRule, LoadWeights, Strategy
from salescrm.policy.calendars import Weekday, WorkCalendar
from salescrm.policy.changes import Change, ChangeKind, diff
from salescrm.policy.parts import (
    ExtraEntity,
    ExtraField,
    ExtraKind,
    FollowUpWindows,
    NumberedEntity,
    Numbering,
)
from salescrm.policy.plain import PolicyFormat, dumps, from_plain, load, loads, to_plain
from salescrm.policy.policy import Policy
from salescrm.policy.pool_findings import Finding, FindingCode, findings
from salescrm.policy.pools import (
    Anchor,
    ClaimLimits,
    Exemption,
    Pool,
    PoolWarning,
    Protection,
    RecycleRule,
    Told,
)
from salescrm.policy.versions import Policies
from salescrm.policy.vocabulary import Choice, Choices, ChosenField, shipped_choices

__all__ = [
    "Anchor",
    "ApprovalFlow",
    "ApprovalStep",
    "ApprovedAct",
    "AssignmentRule",
    "Change",
    "ChangeKind",
    "Choice",
    "Choices",
    "ChosenField",
    "ClaimLimits",
    "Exemption",
    "ExtraEntity",
    "ExtraField",
    "ExtraKind",
    "Finding",
    "FindingCode",
    "FollowUpWindows",
    "LoadWeights",
    "NumberedEntity",
    "Numbering",
    "Policies",
    "Policy",
    "PolicyFormat",
    "Pool",
    "PoolWarning",
    "Protection",
    "RecycleRule",
    "Strategy",
    "Superior",
    "Told",
    "Weekday",
    "WorkCalendar",
    "diff",
    "dumps",
    "findings",
    "from_plain",
    "load",
    "loads",
    "shipped_choices",
    "to_plain",
]
