"""
Every error that salescrm raises, and nothing else.

::

    CrmError
     ├─ Invalid (ValueError)         what was asked or given is wrong; nothing was written
     │   ├─ InvalidValue             one value of one field
     │   ├─ UnknownField             no such field; the nearest names are offered
     │   ├─ InvalidQuestion          a question that no engine may see
     │   ├─ InvalidCursor            a page cursor that is not ours, or not of this question
     │   ├─ InvalidDefinition        a pipeline, policy or import plan that contradicts itself
     │   └─ TenantRequired           a multi-tenant Crm was not told whose records
     ├─ NotFound (LookupError)       no such record, or none that this member may see
     ├─ Conflict                     somebody else was there first
     │   ├─ StaleWrite               the record has moved on since it was read
     │   └─ Duplicate                a value that must be unique is taken
     ├─ Refused                      the rules say no
     │   ├─ Forbidden                this member may not
     │   ├─ MoveRefused              the stage machine names every unmet requirement
     │   ├─ StateRefused             not in this state
     │   ├─ ClaimRefused             a pool's rules, customer by customer
     │   ├─ AssignmentRefused        nobody can take it, or none of the rules is for it
     │   ├─ ProtectionRefused        as many as they may are protected already
     │   ├─ ApprovalRefused          who may say what about a request, and when
     │   ├─ TransferRefused          customers that can't change hands, every reason at once
     │   ├─ LeftBehind               what would still point at a member who leaves
     │   └─ HookRefused              a plugin of the host said no
     ├─ WorkEnded                    the unit of work is over, by commit, rollback or a failed write
     └─ StoreError                   the engine or the way to it
         ├─ EngineError              the engine refused, for a reason of its own
         ├─ Transient                try the whole function again
         ├─ Misconfigured            a missing package, URL part or capability
         └─ SchemaOutdated           the tables are older than this version; migrate

An error is its facts: attributes to branch on, and a sentence made of them.
``str(error)`` is English; ``salescrm.locale.message(error, "zh")`` says the same in Chinese.
"""

from __future__ import annotations

from salescrm.errors.base import (
    Conflict,
    CrmError,
    Duplicate,
    EngineError,
    Invalid,
    InvalidCursor,
    InvalidDefinition,
    InvalidQuestion,
    InvalidValue,
    Misconfigured,
    NotFound,
    SchemaOutdated,
    StaleWrite,
    StoreError,
    TenantRequired,
    Transient,
    UnknownField,
    Unmet,
    WorkEnded,
)
from salescrm.errors.base import ascii_safe as ascii_safe
from salescrm.errors.base import fact as fact
from salescrm.errors.refusals import (
    ApprovalRefused,
    AssignmentRefused,
    ClaimRefused,
    Forbidden,
    HookRefused,
    LeftBehind,
    MoveRefused,
    ProtectionRefused,
    Refused,
    StateRefused,
    TransferRefused,
)
from salescrm.errors.refusals import LeftOver as LeftOver

__all__ = [
    "ApprovalRefused",
    "AssignmentRefused",
    "ClaimRefused",
    "Conflict",
    "CrmError",
    "Duplicate",
    "EngineError",
    "Forbidden",
    "HookRefused",
    "Invalid",
    "InvalidCursor",
    "InvalidDefinition",
    "InvalidQuestion",
    "InvalidValue",
    "LeftBehind",
    "Misconfigured",
    "MoveRefused",
    "NotFound",
    "ProtectionRefused",
    "Refused",
    "SchemaOutdated",
    "StaleWrite",
    "StateRefused",
    "StoreError",
    "TenantRequired",
    "TransferRefused",
    "Transient",
    "UnknownField",
    "Unmet",
    "WorkEnded",
]
