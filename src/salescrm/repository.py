"""
Repository: the typed door from entities to a store.

Every read carries the acting member's scope, every write its stamps, its change-log entry and its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from salescrm.access import Action
from salescrm.checking import Context
from salescrm.codegen import STAMPED
from salescrm.collecting import gc_paused
from salescrm.entities import ChangeEntry, Record
from salescrm.entities.base import RecordT
from salescrm.errors import Forbidden, InvalidQuestion, InvalidValue, StaleWrite
from salescrm.events import Edited, Event
from salescrm.plans import Asked
from salescrm.query import F, Query, Where
from salescrm.query.fields import OrderLike
from salescrm.reading import orders
from salescrm.storage import Delete, Insert, Replace, Write
from salescrm.trail import Trail
from salescrm.values import Id
from salescrm.whole import whole

if TYPE_CHECKING:
    from salescrm.unit import UnitOfWork

__all__ = ["Follow", "Repository"]

#: How many records are logged and sent to a store at a time in bulk.
_BATCH = 5_000

EventOf: TypeAlias = Callable[[RecordT], Iterable[Event]]
#: From a record as plugins have left it to the same with what follows from that.
Settle: TypeAlias = Callable[[RecordT], RecordT]
#: What goes with the change of a record, as it was and as it is.
Follow: TypeAlias = Callable[[RecordT, RecordT], Iterable[Event | Record]]


class Repository(Trail[RecordT]):
    """The records of one entity, as the acting member of *unit* may see and change them; all where it is not *scoped*."""

    def __init__(self, unit: UnitOfWork, entity: type[RecordT], *, scoped: bool = True) -> None:
        super().__init__(unit, entity, scoped=scoped)
        self._hooks = unit.kit.hooks

    @whole
    def add(
        self,
        record: RecordT,
        *events: Event | Callable[[RecordT], Event],
        settle: Settle[RecordT] | None = None,
    ) -> RecordT:
        """
        *record* as it was stored: stamped, with its log entry and *events*, which may be made of what was stored.

        *settle* gives it what follows from its values, which plugins may have changed.

        Raises:
            InvalidValue: A value does not fit its field.
            Duplicate: The id or a unique value is taken.
            Forbidden: The member may not add it.
        """
        unit = self.unit
        unit.reading()
        stamped = self._stamped(record)
        if self._hooks.listens_to_records:
            stamped = self._stamped(self._hooks.adding(unit, stamped))
            stamped = settle(stamped) if settle else stamped
        admitted = cast(RecordT, self.schema.admit(stamped))
        entry = self._entry("added", admitted, self.schema.filled(admitted))
        told = [one if isinstance(one, Event) else one(admitted) for one in events]
        self._write(Insert(self.schema, [admitted]), [entry], told)
        self._require("add", admitted.id)
        if self._hooks.listens_to_records:
            self._hooks.added(unit, admitted)
        return admitted

    @whole
    def add_many(
        self,
        records: Iterable[RecordT],
        *,
        events: EventOf[RecordT] | None = None,
        settle: Settle[RecordT] | None = None,
    ) -> int:
        """Adds *records* in bulk, each as by `add`; how many. All or none, with the rest of the Work."""
        added, rest = 0, iter(records)
        while True:
            with gc_paused():
                batch = list(islice(rest, _BATCH))
                if not batch:
                    return added
                self._add_batch(batch, events, settle)
            added += len(batch)

    def _add_batch(
        self,
        batch: list[RecordT],
        events: EventOf[RecordT] | None,
        settle: Settle[RecordT] | None,
    ) -> None:
        stamped = [self._stamped(record) for record in batch]
        if self._hooks.listens_to_records:
            stamped = [self._stamped(self._hooks.adding(self.unit, record)) for record in stamped]
            stamped = [settle(record) for record in stamped] if settle else stamped
        admitted = [cast(RecordT, self.schema.admit(record)) for record in stamped]
        entries = [self._entry("added", record, self.schema.filled(record)) for record in admitted]
        told = [event for record in admitted for event in events(record)] if events else []
        self._write(Insert(self.schema, admitted), entries, told)
        self._require("add", *[record.id for record in admitted])
        if self._hooks.listens_to_records:
            for record in admitted:
                self._hooks.added(self.unit, record)

    @whole
    def save(
        self,
        before: RecordT,
        after: RecordT,
        *events: Event,
        edited: Callable[..., Edited] | None = None,
        lines: Sequence[Record] = (),
    ) -> RecordT:
        """
        *after* in place of *before*, which was read earlier; nothing is written where they are equal and no event tells.

        *edited* makes the event that tells which *fields* have changed, if any have; *lines* go into their ledgers.

        Raises:
            StaleWrite: Somebody saved it since *before* was read.
            InvalidValue: A value does not fit its field.
            Forbidden: The member may not save it.
        """
        unit = self.unit
        unit.reading()
        if self._hooks.listens_to_records and after != before:
            after = self._hooks.saving(unit, before, after, settled=self.schema.settled)
        after = cast(RecordT, self.schema.admit(after, before))
        changed = self.schema.diff(before, after)
        if not changed and not events:
            return before
        if edited is not None and changed:
            events = (*events, edited(record_id=before.id, fields=tuple(changed)))
        self._ours(before)
        self._require("save", before.id)
        stamps = {
            "id": before.id,
            "tenant": unit.tenant,
            "version": before.version + 1,
            "created_at": before.created_at,
            "created_by": before.created_by,
            "updated_at": unit.context.now,
            "updated_by": unit.member,
        }
        saved = cast(RecordT, self.schema.evolve(after, stamps))
        entry = self._entry("saved", saved, changed)
        self._write(Replace(self.schema, saved, before.version, tuple(changed)), [entry], events, lines)
        self._require("save", before.id)
        if self._hooks.listens_to_records:
            self._hooks.saved(unit, before, saved)
        return saved

    @whole
    def remove(self, record: RecordT, *events: Event) -> None:
        """Removes *record*, as it was read; its log entry keeps what it held.

        Raises:
            StaleWrite: Somebody saved or removed it since.
            Forbidden: The member may not remove it.
        """
        unit = self.unit
        unit.reading()
        self._ours(record)
        self._hooks.removing(unit, record)
        self._require("remove", record.id)
        held = {name: [value, None] for name, (_, value) in self.schema.filled(record).items()}
        gone = self.schema.evolve(record, {"version": record.version + 1})
        entry = self._entry("removed", gone, held)
        self._write(Delete(self.schema, record.id, record.version), [entry], events)
        self._hooks.removed(unit, record)

    @whole
    def change(
        self,
        where: Where,
        values: Mapping[str, Any],
        *,
        order: Iterable[OrderLike | str] = (),
        limit: int = 10_000,
        follow: Follow[RecordT] | None = None,
        skip_locked: bool = True,
        context: Context | None = None,
        known: Sequence[RecordT] = (),
        decisive: Sequence[str] = (),
    ) -> list[RecordT]:
        """
        Sets *values* in up to *limit* records that *where* holds for, taken in *order*; the records as they now are.

        Atomic per record against everybody else: of two calls that want the same record, one gets it.
        What *follow* gives for a record as it was and as it is goes with its change: events, and lines of a ledger, which
        are stamped and not logged.  With *skip_locked* false it waits for records that others hold just now.
        Relative moments are those of *context*, if given.
        Hooks may refuse it, for all of them; they can't change what is saved many at a time.

        Of *known* records, as they were read, none but these are changed, and what goes with them is sent along.  Those in a
        caller's hands may be made up: fields that are *decisive* must be stored as they are there.

        Raises:
            StaleWrite: One of the *known* has changed since it was read, or is made up, and *where* still holds for it.
        """
        unit, stamped = self.unit, self._restamped(values)
        if known:
            changed = [(one, self._evolved(one, stamped)) for one in known]
            beside = [] if self._hooks.listens else self._rows(*self._going(changed, follow))
            query = Query(where=where & F.id.one_of([one.id for one in known]), limit=len(known))
            asked, _ = self._checker.select(
                self.schema,
                ("id", "version", *decisive),
                query,
                context or unit.context,
                scope=self._scope("save"),
            )
            ids = self._changed_as_read(
                asked, stamped, known, decisive, skip_locked=skip_locked, beside=beside
            )
            changed = [pair for pair in changed if pair[0].id in ids]
            if beside and len(changed) == len(known):
                return [new for _, new in changed]
        else:
            asked = self._to_change(where, order, limit, context)
            changed = self._changed(asked, stamped, skip_locked=skip_locked)
        if self._hooks.listens_to_records:
            self._hooks.agree(self.unit, changed)
        self._write(None, *self._going(changed, follow))
        if self._hooks.listens_to_records:
            for old, new in changed:
                self._hooks.saved(self.unit, old, new)
        return [new for _, new in changed]

    def _going(
        self, changed: Sequence[tuple[RecordT, RecordT]], follow: Follow[RecordT] | None
    ) -> tuple[list[ChangeEntry], list[Event], list[Record]]:
        """What goes with records as they were and as they are: entries of the log, events, lines of ledgers."""
        entries = [self._entry("saved", new, self.schema.diff(old, new)) for old, new in changed]
        follows = [one for pair in changed for one in follow(*pair)] if follow else []
        events = [one for one in follows if isinstance(one, Event)]
        return entries, events, [one for one in follows if isinstance(one, Record)]

    @whole
    def tell(self, events: Sequence[Event], lines: Sequence[Record] = ()) -> None:
        """Records *events* about these records, and *lines* in their ledgers, without a change of any record."""
        self._write(None, [], events, lines)

    def change_quietly(
        self,
        where: Where,
        values: Mapping[str, Any],
        *,
        order: Iterable[OrderLike | str] = (),
        limit: int = 10_000,
        skip_locked: bool = True,
    ) -> list[RecordT]:
        """As `change`, without log and events: for what is no fact of the business, such as a worker's lease."""
        asked = self._to_change(where, order, limit)
        return [new for _, new in self._changed(asked, self._restamped(values), skip_locked=skip_locked)]

    def _to_change(
        self, where: Where, order: Iterable[OrderLike | str], limit: int, context: Context | None = None
    ) -> Asked:
        query = Query(where=where, order=orders(order), limit=limit)
        context = context or self.unit.context
        return self._checker.find(self.schema, query, context, scope=self._scope("save"))

    def _changed(
        self, asked: Asked, stamped: Mapping[str, Any], *, skip_locked: bool
    ) -> list[tuple[RecordT, RecordT]]:
        """What was changed, as it was and as it is."""
        before: list[RecordT] = self._change(asked, stamped, skip_locked=skip_locked)
        # As they are now: nobody gives away what they may not hold.
        self._require("save", *[old.id for old in before])
        return [(old, self._evolved(old, stamped)) for old in before]

    def _changed_as_read(
        self,
        asked: Asked,
        stamped: Mapping[str, Any],
        known: Sequence[RecordT],
        decisive: Sequence[str],
        *,
        skip_locked: bool,
        beside: Sequence[Insert],
    ) -> set[Id]:
        """The ids of those *known* that were changed: all that comes back, since nothing else about them is news."""
        getters = [self.schema.getters[name] for name in ("version", *decisive)]
        read = {one.id: [get(one) for get in getters] for one in known}
        met = self._change(asked, stamped, skip_locked=skip_locked, beside=beside)
        for id, *found in met:
            if found != read[id]:
                self.unit.fail()
                raise StaleWrite(self.schema.name, id, read[id][0])
        ids = [id for id, *_ in met]
        self._require("save", *ids)
        return {*ids}

    def _change(
        self, asked: Asked, stamped: Mapping[str, Any], *, skip_locked: bool, beside: Sequence[Insert] = ()
    ) -> list[Any]:
        unit = self.unit
        store = unit.reading()
        columns = self.schema.laid_out(stamped)
        try:
            met = store.change(asked, columns, skip_locked=skip_locked, beside=beside)
        except BaseException:
            unit.fail()
            raise
        if met:
            unit.wrote()
        return met

    def _restamped(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """*values* as they are set in many records at once, with the stamps of a change."""
        fixed = values.keys() & {*self.schema.searchable, *STAMPED}
        if fixed:
            raise InvalidQuestion(
                f"{', '.join(sorted(fixed))} can't be changed in many records at once; save each"
            )
        unit = self.unit
        return self.schema.admitted({**values, "updated_at": unit.context.now, "updated_by": unit.member})

    def _evolved(self, old: RecordT, stamped: Mapping[str, Any]) -> RecordT:
        """*old* as a change leaves it."""
        return cast(RecordT, self.schema.evolve(old, {**stamped, "version": old.version + 1}))

    def _stamped(self, record: RecordT) -> RecordT:
        """*record* with its stamps and an id; a service's draft bears them already."""
        unit = self.unit
        now, member = unit.context.now, unit.member
        at = record.created_at is now and record.updated_at is now
        ours = record.tenant == unit.tenant and record.created_by == record.updated_by == member
        if at and ours and record.version == 1 and record.id:
            return record
        id = record.id or unit.kit.new_id(now)
        return cast(RecordT, self.schema.evolve(record, {"id": id, **self.stamps}))

    def _write(
        self,
        write: Write | None,
        entries: Sequence[ChangeEntry],
        events: Sequence[Event],
        lines: Sequence[Record] = (),
    ) -> None:
        """*write* with its log entries, the outbox rows of *events* and *lines* of ledgers, in one go."""
        rows = self._rows(entries, events, lines)
        writes: list[Write] = [*rows] if write is None else [write, *rows]
        if events and self._hooks.listens_to_commits:
            self.unit.told += [row.id for row in rows[-1].records]
        if writes:
            self.unit.write(*writes)
        if self._hooks.listens_to_events:
            for event in events:
                self._hooks.happened(self.unit, event)

    def _ours(self, record: RecordT) -> None:
        """Refuses a record that was read for another tenant: it may share its id and version with one of ours."""
        if record.tenant != self.unit.tenant:
            raise InvalidValue(self.schema.name, "tenant", record.tenant, f"a record of {self.unit.tenant}")

    @property
    def sees_all(self) -> bool:
        """Whether the member may see every record, so that one in a caller's hands need not be looked up for that."""
        return self._scope("read") is None

    def require(self, action: Action, *ids: Id) -> None:
        """Refuses what the member may not do to the records *ids*, as the store has them now.

        Raises:
            Forbidden: They may not *action* one of them, or it is not there.
        """
        if self._scope(action) is None:
            return
        allowed = self._many(ids, action)
        for id in ids:
            if id not in allowed:
                raise Forbidden(self.unit.member, action, self.schema.name, id)

    def _require(self, action: Action, *ids: Id) -> None:
        """As `require`, in the middle of a write: the Work then ends."""
        try:
            self.require(action, *ids)
        except Forbidden:
            self.unit.fail()
            raise
