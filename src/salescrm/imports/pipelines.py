"""The pipelines that imports have brought: kept beside the records, so that who reads them knows the stages' order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from salescrm.crm import Crm, Work
from salescrm.entities import Receipt
from salescrm.imports.plan import ImportPlan
from salescrm.policy import Policies, Policy
from salescrm.policy.plain import from_plain, to_plain
from salescrm.query import F
from salescrm.stages import Pipeline
from salescrm.values import Id

__all__ = ["knowing", "recall", "remember"]

#: The receipt of an import is the plan's, under this and its name.
_PREFIX: Final = "import:"


def knowing(crm: Crm, pipelines: Iterable[Pipeline]) -> Crm:
    """*crm* with *pipelines* in its policy; those of the policy itself win where a key is in both."""
    wanted = tuple(pipelines)
    if not wanted:
        return crm
    wider = Policies(_knowing(policy, wanted) for policy in crm.kit.policies.versions)
    return attrs.evolve(crm, kit=attrs.evolve(crm.kit, policies=wider))


def _knowing(policy: Policy, pipelines: tuple[Pipeline, ...]) -> Policy:
    known = {pipeline.key for pipeline in policy.pipelines}
    new = tuple(pipeline for pipeline in pipelines if pipeline.key not in known)
    return attrs.evolve(policy, pipelines=(*policy.pipelines, *new)) if new else policy


def remember(work: Work, plan: ImportPlan) -> None:
    """Keeps the pipelines of *plan* with the records, in the receipt of its import."""
    if not plan.pipelines:
        return
    receipts = work.repository(Receipt)
    id = Id(f"{_PREFIX}{plan.name}"[:64])
    result = {"pipelines": _plain(plan.pipelines)}
    before = receipts.peek(id)
    if before is None:
        receipts.add(Receipt(id=id, result=result))
    else:
        receipts.save(before, receipts.schema.evolve(before, {"result": result}))


def recall(crm: Crm, *, by: str) -> Crm:
    """
    *crm*, knowing the pipelines of the imports that were made into its store.

    A host that has them in its own policy has no use for it.
    """
    with crm.begin(by=by) as work:
        found = list(work.repository(Receipt).stream(F.id.starts_with(_PREFIX)))
    return knowing(crm, [one for receipt in found for one in _pipelines(receipt.result.get("pipelines", []))])


def _plain(pipelines: tuple[Pipeline, ...]) -> Any:
    return to_plain(Policy(pipelines=pipelines, default_pipeline=pipelines[0].key))["pipelines"]


def _pipelines(data: Any) -> tuple[Pipeline, ...]:
    if not data:
        return ()
    return from_plain({"pipelines": data, "default_pipeline": data[0]["key"]}).pipelines
