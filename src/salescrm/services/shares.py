"""What is kept of fair shares between one assignment and the next, rule by rule; one Work at a time has a rule's."""

from __future__ import annotations

from collections.abc import Iterable

from salescrm.entities import FairShares
from salescrm.errors import StaleWrite
from salescrm.query import F
from salescrm.rules.assigning import Shares
from salescrm.services.claimers import Claimers
from salescrm.storage import Insert
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["KeptShares"]


class KeptShares:
    """The shares of the policy's rules, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._records = unit.unscoped(FairShares)

    def take_turns(self, rules: Iterable[str], members: Iterable[Id]) -> None:
        """
        From here until this Work ends nobody else gives out by *rules*, or counts what *members* have.

        Two at once would both draw from the same shares; the second one waits here, and then draws from what the first
        one left.
        """
        Claimers(self.unit).take_turns([*(Id(f"assign:{rule}"[:64]) for rule in rules), *members])

    def read(self, rule: str) -> Shares:
        """How everybody stands by *rule*."""
        kept = self._records.peek(Id(rule))
        return Shares() if kept is None else Shares.load(kept.data)

    def save(self, rule: str, shares: Shares) -> None:
        """
        Keeps *shares* for *rule*, whose turn is taken; no fact of the business, so it is not logged.

        Raises:
            StaleWrite: Somebody who did not take a turn has kept others.
        """
        unit = self.unit
        kept, data = self._records.peek(Id(rule)), shares.dump()
        if kept is None:
            made = self._records.schema.evolve(
                FairShares(id=Id(rule), data=data), {**self._records.stamps, "id": Id(rule)}
            )
            unit.write(Insert(self._records.schema, [self._records.schema.admit(made)]))
            return
        still = (F.id == rule) & (F.version == kept.version)
        if not self._records.change_quietly(still, {"data": data}, limit=1, skip_locked=False):
            unit.fail()
            raise StaleWrite("FairShares", kept.id, kept.version)
