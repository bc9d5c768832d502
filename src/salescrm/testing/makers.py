"""
Records for tests: each valid, different from the last, and with nothing in it that the test didn't ask for.

A maker knows no store: what it makes is added through a Work or, in contract tests, written through `Asking`.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from salescrm.entities import (
    Contact,
    Customer,
    FollowUp,
    Member,
    Opportunity,
    OpportunityLine,
    Product,
    StageChange,
    Team,
)
from salescrm.testing.clock import START
from salescrm.values import Id, IdMaker, Moment

__all__ = ["Maker"]


class Maker:
    """
    Makes records: ``make.customer(level="A")``; what isn't given is filled with something plausible.

    Each record has an id of its own, so that others can refer to it before it is stored, and version 1.
    Two makers of one *seed* make equal records.
    """

    def __init__(self, *, at: Moment = START, seed: str = "") -> None:
        self._at = at
        self._count = self._drawn = 0
        self._seed = seed
        self._next_id = IdMaker(self._random)

    def id(self) -> Id:
        """The next id; ids ascend."""
        return self._next_id(self._at)

    def team(self, **given: Any) -> Team:
        """A team without parent."""
        return Team(**(self._base() | {"name": f"Team {self._count}"} | given))

    def member(self, **given: Any) -> Member:
        """An active member of no team."""
        return Member(**(self._base() | {"name": f"Member {self._count}"} | given))

    def customer(self, **given: Any) -> Customer:
        """A company that nobody owns."""
        return Customer(**(self._base() | self._numbered("C") | {"name": f"Customer {self._count}"} | given))

    def contact(self, **given: Any) -> Contact:
        """A person at the customer *customer_id*, or at one that does not exist."""
        mine = {"name": f"Contact {self._count}", "customer_id": "nobody"}
        return Contact(**(self._base() | mine | given))

    def product(self, **given: Any) -> Product:
        """An active product without a price."""
        return Product(**(self._base() | {"name": f"Product {self._count}"} | given))

    def opportunity(self, **given: Any) -> Opportunity:
        """An open opportunity in the first stage of the pipeline ``sales``, of no customer."""
        mine: dict[str, Any] = {"name": f"Opportunity {self._count}", "pipeline": "sales"}
        mine |= {"opened_at": self._at, "stage_entered_at": self._at}
        stage = given.get("stage", "lead")
        mine |= {"stage": stage, "furthest_stage": stage}
        return Opportunity(**(self._base() | self._numbered("O") | mine | given))

    def line(self, **given: Any) -> OpportunityLine:
        """One piece of *product_id* in *opportunity_id*, or of and in ones that do not exist."""
        mine = {"opportunity_id": "nobody", "product_id": "nobody"}
        return OpportunityLine(**(self._base() | mine | given))

    def stage_change(self, **given: Any) -> StageChange:
        """The entry of *opportunity_id*, or of one that does not exist, into the first stage."""
        mine = {"opportunity_id": "nobody", "pipeline": "sales", "kind": "entered", "to_stage": "lead"}
        return StageChange(**(self._base() | mine | {"at": self._at, "by": "li"} | given))

    def follow_up(self, **given: Any) -> FollowUp:
        """A call planned for tomorrow by nobody in particular."""
        mine = {"planned_at": self._at + timedelta(days=1), "assignee_id": "nobody"}
        return FollowUp(**(self._base() | self._numbered("F") | mine | given))

    def _base(self) -> dict[str, Any]:
        self._count += 1
        stamps = {"version": 1, "created_at": self._at, "updated_at": self._at}
        return {"id": self.id()} | stamps

    def _numbered(self, letter: str) -> dict[str, Any]:
        return {"number": f"{letter}{self._seed}{self._count:07}"}

    def _random(self, size: int) -> bytes:
        """Bytes that look random and are the same in each run."""
        self._drawn += 1
        return hashlib.blake2b(f"{self._seed}{self._drawn}".encode(), digest_size=size).digest()
