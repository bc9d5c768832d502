"""Memory backends that break one promise each: what the contract suite is tried on. No test is here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from salescrm import meaning
from salescrm.backends.memory import MemoryBackend, MemoryStore
from salescrm.errors import Duplicate
from salescrm.plans import Asked, AskedTally, Const, Ref
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Write
from salescrm.testing import contract
from salescrm.testing.contract import Contract

__all__ = ["BROKEN", "BrokenBackend"]


class LeaksTenants(MemoryStore):
    def __init__(self, transaction: Any, tenant: str, *, owned: bool) -> None:
        super().__init__(transaction, tenant[:13], owned=owned)


class MixesTenantsInTallies(MemoryStore):
    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        rows = super().tally(asked)
        return rows if "-" not in self.tenant else [*rows, *rows]


class ReturnsOneMore(MemoryStore):
    def find(self, asked: Asked) -> list[Any]:
        slot = asked.plan.limit_slot
        if slot is None:
            return super().find(asked)
        return super().find(Asked(asked.plan, [*asked.values[:slot], asked.values[slot] + 1]))


class SortsNullsLast(MemoryStore):
    def find(self, asked: Asked) -> list[Any]:
        found = super().find(asked)
        if asked.plan.order and not asked.plan.order[0].descending:
            get = asked.plan.schema.getters[asked.plan.order[0].column.name]
            found.sort(key=lambda record: get(record) is None)
        return found


class LosesTheLastPart(MemoryStore):
    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        parts = list(super().stream(asked, size=size))
        return iter(parts[:-1] if len(parts) > 5 else parts)


class KnowsNoCase(MemoryStore):
    def find(self, asked: Asked) -> list[Any]:
        return super().find(Asked(asked.plan, [v.lower() if isinstance(v, str) else v for v in asked.values]))


class LosesTheNullGroup(MemoryStore):
    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        keys = len(asked.plan.keys)
        return [row for row in super().tally(asked) if None not in row[:keys]]


class SumsFloats(MemoryStore):
    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        return [tuple(int(float(v)) if type(v) is int else v for v in row) for row in super().tally(asked)]


class OverwritesWhatIsNewer(MemoryStore):
    def write(self, *writes: Write) -> None:
        super().write(*[self._forced(one) for one in writes])

    def _forced(self, one: Write) -> Write:
        if isinstance(one, Replace) and (stored := self.get(one.schema, one.record.id)) is not None:
            return Replace(one.schema, one.record, stored.version)
        return one


class DeletesWhatIsNewer(MemoryStore):
    def write(self, *writes: Write) -> None:
        super().write(*[self._forced(one) for one in writes])

    def _forced(self, one: Write) -> Write:
        if isinstance(one, Delete) and (stored := self.get(one.schema, one.id)) is not None:
            return Delete(one.schema, one.id, stored.version)
        return one


class NamesTheWrongKey(MemoryStore):
    def write(self, *writes: Write) -> None:
        try:
            super().write(*writes)
        except Duplicate as taken:
            raise Duplicate(taken.entity, ("id",)) from None


class LeavesTheGoodHalf(MemoryStore):
    def write(self, *writes: Write) -> None:
        for one in writes:
            try:
                super().write(one)
            except Exception:
                self.transaction._ended = None  # that is what is broken
                self.commit()
                raise


class ShowsWhatIsNotCommitted(MemoryStore):
    def write(self, *writes: Write) -> None:
        super().write(*writes)
        with self.transaction.committed.mutex:
            for overlay in self._overlays.values():
                overlay.apply()
        self._overlays.clear()


class KeepsWhatIsRolledBack(MemoryStore):
    def rollback(self) -> None:
        if self.transaction._ended is None:
            self.commit()
        super().rollback()


class ActsBeforeTheCommit(MemoryStore):
    def after_commit(self, effect: Callable[[], None]) -> None:
        effect()


class ForgetsEffects(MemoryStore):
    def after_commit(self, effect: Callable[[], None]) -> None:
        pass


class ChangesWithoutAVersion(MemoryStore):
    def change(self, asked: Asked, values: Mapping[str, Any], **how: Any) -> list[Any]:
        found = self.find(asked)
        schema = asked.plan.schema
        self.write(*[Replace(schema, schema.evolve(one, values), one.version) for one in found])
        return found


class ReturnsWhatItMade(MemoryStore):
    def change(self, asked: Asked, values: Mapping[str, Any], **how: Any) -> list[Any]:
        schema = asked.plan.schema
        return [self.get(schema, one.id) for one in super().change(asked, values)]


class ChangesAll(MemoryStore):
    def change(self, asked: Asked, values: Mapping[str, Any], **how: Any) -> list[Any]:
        return super().change(Asked(attrs.evolve(asked.plan, limit_slot=None), asked.values), values)


class WritesBesideFewer(MemoryStore):
    def change(
        self, asked: Asked, values: Mapping[str, Any], *, beside: Sequence[Insert] = (), **how: Any
    ) -> list[Any]:
        found = super().change(asked, values)
        self.write(*beside)
        return found


class SweepsWithoutALimit(MemoryStore):
    def sweep(self, asked: Asked, values: Mapping[str, Any], rows: Any, *, skip_locked: bool = True) -> int:
        return super().sweep(Asked(attrs.evolve(asked.plan, limit_slot=None), asked.values), values, rows)


class TellsOfWhatIsNow(MemoryStore):
    def sweep(self, asked: Asked, values: Mapping[str, Any], rows: Any, *, skip_locked: bool = True) -> int:
        before = self.change(asked, values)
        now = [self.get(asked.plan.schema, one.id) for one in before]
        self.write(*meaning.swept_rows(asked, values, rows, now, self.get))
        return len(before)


class SweepsWithoutFlags(MemoryStore):
    def sweep(self, asked: Asked, values: Mapping[str, Any], rows: Any, *, skip_locked: bool = True) -> int:
        flags = tuple(Const(True) for _ in asked.plan.flags)
        return super().sweep(Asked(attrs.evolve(asked.plan, flags=flags), asked.values), values, rows)


class ForgetsTheSecondRow(MemoryStore):
    def sweep(self, asked: Asked, values: Mapping[str, Any], rows: Any, *, skip_locked: bool = True) -> int:
        return super().sweep(asked, values, rows[:1])


class LooksBeforeItLocks(MemoryStore):
    def change(self, asked: Asked, values: Mapping[str, Any], **how: Any) -> list[Any]:
        found = self.find(asked)
        time.sleep(0.002)
        super().write()
        schema = asked.plan.schema
        current: list[Any] = [self.get(schema, one.id) for one in found]
        self.write(
            *[Replace(schema, schema.evolve(one, {**values, "version": one.version + 1}), one.version) for one in current]
        )  # fmt: skip
        return found


class HoldsNothing(MemoryStore):
    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        pass


class ReturnsWholeRecords(MemoryStore):
    def change(
        self, asked: Asked, values: Mapping[str, Any], *, beside: Sequence[Insert] = (), **how: Any
    ) -> list[Any]:
        return super().change(
            Asked(attrs.evolve(asked.plan, columns=None), asked.values), values, beside=beside
        )


class CutsMomentsToSeconds(MemoryStore):
    def write(self, *writes: Write) -> None:
        super().write(*[self._cut(one) for one in writes])

    def _cut(self, one: Write) -> Write:
        if not isinstance(one, Insert):
            return one
        return Insert(one.schema, [self._cut_record(one.schema, record) for record in one.records])

    def _cut_record(self, schema: Schema, record: Any) -> Any:
        return schema.evolve(record, {"created_at": record.created_at.replace(microsecond=0)})


class EmptiesLists(MemoryStore):
    def get(self, schema: Schema, id: str) -> Any:
        found = super().get(schema, id)
        return found if found is None or "tags" not in schema.fields else schema.evolve(found, {"tags": ()})


class DropsDanglingReferences(MemoryStore):
    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        hops = [isinstance(one, Ref) and one.follow is not None for one in asked.plan.columns or ()]
        # As an inner join would.
        return [
            row
            for row in super().select(asked)
            if not any(h and v is None for h, v in zip(hops, row, strict=True))
        ]


class SkipsWhatTies(MemoryStore):
    def find(self, asked: Asked) -> list[Any]:
        found = super().find(asked)
        order: Sequence[Any] = asked.plan.order[:-1]
        if not order or not any(
            type(part).__name__ == "After" for part in getattr(asked.plan.where, "parts", ())
        ):
            return found
        # As a cursor without the id would: what is level with the last record of the page before is left out.
        return found[1:]


class BrokenBackend(MemoryBackend):
    """Opens stores of the class that is broken."""

    def __init__(self, store: type[MemoryStore]) -> None:
        super().__init__()
        self._store = store

    def open(self, tenant: str) -> MemoryStore:
        sound = super().open(tenant)
        return self._store(sound.transaction, tenant, owned=True)


#: Each broken store, and the part of the contract that has to catch it.
BROKEN: Final[Mapping[str, tuple[type[MemoryStore], type[Contract]]]] = {
    store.__name__: (store, part)
    for part, stores in {
        contract.Tenants: (LeaksTenants, MixesTenantsInTallies),
        contract.Reading: (
            ReturnsOneMore,
            SortsNullsLast,
            LosesTheLastPart,
            SkipsWhatTies,
            DropsDanglingReferences,
        ),
        contract.Questions: (KnowsNoCase,),
        contract.Tallies: (LosesTheNullGroup,),
        contract.Volume: (SumsFloats,),
        contract.Writing: (OverwritesWhatIsNewer, DeletesWhatIsNewer, NamesTheWrongKey, LeavesTheGoodHalf),
        contract.Transactions: (
            ShowsWhatIsNotCommitted,
            KeepsWhatIsRolledBack,
            ActsBeforeTheCommit,
            ForgetsEffects,
        ),
        contract.Changing: (
            ChangesWithoutAVersion,
            ReturnsWhatItMade,
            ReturnsWholeRecords,
            ChangesAll,
            WritesBesideFewer,
        ),
        contract.Holding: (HoldsNothing,),
        contract.Sweeping: (
            SweepsWithoutALimit,
            TellsOfWhatIsNow,
            SweepsWithoutFlags,
            ForgetsTheSecondRow,
        ),
        contract.Racing: (LooksBeforeItLocks,),
        contract.RoundTrips: (CutsMomentsToSeconds, EmptiesLists),
    }.items()
    for store in stores
}
