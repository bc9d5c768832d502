"""Policy: a host's rules as data, checked when built, written in Python, TOML or JSON."""

from __future__ import annotations

from salescrm.policy.approvals import ApprovalFlow, ApprovalStep, ApprovedAct, Superior
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
    "Choice",
    "Choices",
    "ChosenField",
    "ClaimLimits",
    "Exemption",
    "ExtraEntity",
    "ExtraField",
    "ExtraKind",
    "FollowUpWindows",
    "NumberedEntity",
    "Numbering",
    "Policies",
    "Policy",
    "PolicyFormat",
    "Pool",
    "PoolWarning",
    "Protection",
    "RecycleRule",
    "Superior",
    "Told",
    "dumps",
    "from_plain",
    "load",
    "loads",
    "shipped_choices",
    "to_plain",
]
