"""People and requests for the tests of the approval machine; no store knows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import attrs

from salescrm.entities import ApprovalRequest
from salescrm.labels import Label
from salescrm.policy import ApprovalFlow, ApprovalStep
from salescrm.values import Id

AT = datetime(2026, 3, 15, 2, 0, tzinfo=UTC)
NOBODY: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Staff:
    """Who works here: everybody who isn't gone, in roles, below managers, with deputies."""

    gone: frozenset[str] = frozenset()
    roles: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    managers: Mapping[str, str] = NOBODY
    deputies: Mapping[str, str] = NOBODY

    def name(self, member_id: str) -> str:
        return member_id.capitalize()

    def is_active(self, member_id: str) -> bool:
        return member_id not in self.gone

    def holding(self, role: str) -> list[Id]:
        return [Id(one) for one in self.roles.get(role, ()) if self.is_active(one)]

    def superior(self, member_id: str) -> Id | None:
        manager = self.managers.get(member_id)
        return None if manager is None else Id(manager)

    def deputy(self, member_id: str) -> Id | None:
        deputy = self.deputies.get(member_id)
        return None if deputy is None else Id(deputy)


def step(key: str = "first", **given: Any) -> ApprovalStep:
    """A step that asks ann."""
    fields: dict[str, Any] = {"key": key, "label": Label(key.capitalize(), f"步骤{key}"), "members": ("ann",)}
    return ApprovalStep(**(fields | given))


def flow(*steps: ApprovalStep) -> ApprovalFlow:
    """An approval of transfers."""
    return ApprovalFlow(
        key="move", label=Label("Transfer", "客户转移"), act="transfer", steps=steps or (step(),)
    )


def draft(**given: Any) -> ApprovalRequest:
    """A request of rep, about a customer of owner."""
    fields: dict[str, Any] = {
        "id": Id("r1"), "act": "transfer", "data": {}, "flow": "move", "policy_version": 1, "entity": "customers",
        "owner_ids": (Id("owner"),), "requester_id": Id("rep"), "requested_at": AT,
    }  # fmt: skip
    return ApprovalRequest(**(fields | given))
