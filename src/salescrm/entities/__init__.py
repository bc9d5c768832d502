"""What exists: frozen, slotted, keyword-only attrs classes, and the named questions about each."""

from __future__ import annotations

from salescrm.entities.approvals import ApprovalEntry, ApprovalRequest, ApprovalSubject
from salescrm.entities.base import Record
from salescrm.entities.customers import Collaborator, Contact, Customer, KeyDate
from salescrm.entities.follow_ups import Attachment, FollowUp, Place, Postponement, RemindBefore
from salescrm.entities.history import ChangeEntry, Counter, OutboxEvent, Receipt
from salescrm.entities.opportunities import Competitor, Opportunity, OpportunityLine, StageChange
from salescrm.entities.people import Leave, Member, Team
from salescrm.entities.pools import FairShares, Notice, OwnershipEntry, PoolRun, Turn
from salescrm.entities.products import Product

__all__ = [
    "ApprovalEntry",
    "ApprovalRequest",
    "ApprovalSubject",
    "Attachment",
    "ChangeEntry",
    "Collaborator",
    "Competitor",
    "Contact",
    "Counter",
    "Customer",
    "FairShares",
    "FollowUp",
    "KeyDate",
    "Leave",
    "Member",
    "Notice",
    "Opportunity",
    "OpportunityLine",
    "OutboxEvent",
    "OwnershipEntry",
    "Place",
    "PoolRun",
    "Postponement",
    "Product",
    "Receipt",
    "Record",
    "RemindBefore",
    "StageChange",
    "Team",
    "Turn",
]
