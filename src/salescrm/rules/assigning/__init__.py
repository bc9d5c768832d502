"""Assignment: who gets what comes in, by strategies that are fair, give the same answer each time and explain it."""

from __future__ import annotations

from salescrm.rules.assigning.candidates import Candidate, Item, OutFor, week_capacity
from salescrm.rules.assigning.deciding import Assignment, Figures, Out, Picked
from salescrm.rules.assigning.dispatching import HostChoice, choose, dispatch
from salescrm.rules.assigning.fairness import Fairness, evenness
from salescrm.rules.assigning.planning import MemberLoad, Plan, joined
from salescrm.rules.assigning.shares import Account, Draw, Lane, Shares

__all__ = [
    "Account",
    "Assignment",
    "Candidate",
    "Draw",
    "Fairness",
    "Figures",
    "HostChoice",
    "Item",
    "Lane",
    "MemberLoad",
    "Out",
    "OutFor",
    "Picked",
    "Plan",
    "Shares",
    "choose",
    "dispatch",
    "evenness",
    "joined",
    "week_capacity",
]
