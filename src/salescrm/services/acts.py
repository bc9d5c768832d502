"""What can be made to wait for approval: for each act how it waits, how it is done once approved, how it is given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from salescrm.entities import ApprovalRequest
from salescrm.policy import ApprovedAct
from salescrm.services.transferring import Transferring
from salescrm.unit import UnitOfWork

__all__ = ["ACTS", "Act"]


@attrs.frozen(kw_only=True)
class Act:
    """
    One kind of act, in the hands of the approval engine.

    Attributes:
        hold: Marks what a request is about as waiting; raises where the act could not be done as it is.
        prepare: Looks whether the act can be done, raises if not, and gives what does it; it writes nothing itself.
        drop: Takes the marks away: the request was rejected or withdrawn.
    """

    hold: Callable[[UnitOfWork, ApprovalRequest], None]
    prepare: Callable[[UnitOfWork, ApprovalRequest], Callable[[], None]]
    drop: Callable[[UnitOfWork, ApprovalRequest], None]


#: A new act is a word of `ApprovedAct`, the collection it is about in `policy.approval_checks`, and a line here.
ACTS: Final[Mapping[ApprovedAct, Act]] = MappingProxyType(
    {
        "transfer": Act(
            hold=lambda unit, request: Transferring(unit).hold(request),
            prepare=lambda unit, request: Transferring(unit).prepare(request),
            drop=lambda unit, request: Transferring(unit).drop(request),
        )
    }
)
