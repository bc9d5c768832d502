"""One batch of drafts into the store, in one unit of work: what is there is read once, what is new goes in in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from salescrm.crm import Work
from salescrm.entities import Contact, Customer, Opportunity, OpportunityLine, Record, StageChange
from salescrm.errors import InvalidValue
from salescrm.events import Event, LineAdded
from salescrm.imports.drafts import Bound, Draft, Reference
from salescrm.imports.kinds import KINDS, Kind
from salescrm.imports.plan import OnRepeat
from salescrm.imports.results import Counts, RefusedRow
from salescrm.imports.taking import TakenRow, said_by
from salescrm.query import F
from salescrm.services.base import Service
from salescrm.services.ownership import Ownership
from salescrm.values import Id

__all__ = ["Outcome", "link", "write"]

#: What an import says of a product line.
_OF_LINES: Final = ("product_id", "quantity", "price", "amount", "notes")


@attrs.define
class Outcome:
    """
    What became of one batch.

    Attributes:
        waiting: How many references are to records of the same file that are not there yet.
        taken: By record, the first of its rows that was taken.
    """

    counts: Counts = attrs.field(factory=Counts)
    refused: list[RefusedRow] = attrs.field(factory=list)
    waiting: int = 0
    taken: dict[Id, TakenRow] = attrs.field(factory=dict)


def write(
    work: Work, bound: Bound, drafts: Sequence[Draft], on_repeat: OnRepeat, taken: Mapping[Id, TakenRow]
) -> Outcome:
    """
    Brings *drafts* in: new records are added with their lines and history, known ones left alone or brought up to date.

    *taken* says from which row of this file a record was already taken in this run: another row may only say the same.
    """
    return _Batch(work, bound, on_repeat, taken).write(drafts)


def link(
    work: Work, bound: Bound, drafts: Sequence[Draft], on_repeat: OnRepeat, taken: Mapping[Id, TakenRow]
) -> Outcome:
    """
    Fills in references to records of the same file, which are all there by now; told as refused where one is not.

    Only a row that was *taken* has a say.
    """
    kind, outcome = KINDS[bound.records.entity], Outcome()
    service = kind.service(work)
    heard = [draft for draft in drafts if (row := taken.get(draft.id)) and row.line == draft.row.line]
    wanted = [(draft, one) for draft in heard for one in draft.references if one.own]
    there = service.records.many([*(draft.id for draft, _ in wanted), *(one.id for _, one in wanted)])
    for draft, reference in wanted:
        record = there.get(draft.id)
        if record is None:  # somebody removed it since
            continue
        held = getattr(record, reference.field)
        if reference.id not in there:
            outcome.refused.append(_missing(bound, draft, reference))
        elif held != reference.id and (held is None or on_repeat == "update"):
            after = service.schema.evolve(record, {reference.field: reference.id})
            there[draft.id] = service.records.save(record, after, edited=kind.edited)
            outcome.counts += Counts(linked=1)
    return outcome


def _missing(bound: Bound, draft: Draft, reference: Reference) -> RefusedRow:
    column, text = draft.origin(reference.field)
    expected = f"the key of a {reference.entity} that is there"
    problem = InvalidValue(bound.schema.name, reference.field, text, expected)
    return bound.refused(draft.row.line, problem, column, text)


class _Batch:
    """The state of one batch in one Work."""

    def __init__(self, work: Work, bound: Bound, on_repeat: OnRepeat, taken: Mapping[Id, TakenRow]) -> None:
        self.work, self.bound, self.on_repeat, self.taken = work, bound, on_repeat, taken
        self.kind: Kind = KINDS[bound.records.entity]
        self.service: Service[Any] = self.kind.service(work)
        self.outcome = Outcome()
        self.known: dict[Id, Any] = {}
        #: The lines and the history of known deals.
        self.beside: dict[Id, Any] = {}
        self.new: dict[Id, Any] = {}
        self.lines: dict[Id, OpportunityLine] = {}
        self.changes: dict[Id, StageChange] = {}

    def write(self, drafts: Sequence[Draft]) -> Outcome:
        self.known = self.service.records.many(draft.id for draft in drafts)
        if self.on_repeat == "update":
            again = [draft for draft in drafts if draft.id in self.known]
            lines = [line.id for draft in again for line in draft.lines]
            changes = [change.id for draft in again for change in draft.changes]
            self.beside.update(self.work.repository(OpportunityLine).many(lines))
            self.beside.update(self.work.repository(StageChange).many(changes))
        there = self._referred(drafts)
        for draft in drafts:
            refused = self._take(draft, there)
            if refused is not None:
                self.outcome.refused.append(refused)
                self.outcome.counts += Counts(rows=1, refused=1)
        self._add()
        return self.outcome

    def _referred(self, drafts: Sequence[Draft]) -> dict[str, set[Id]]:
        """By collection, the ids that drafts refer to and that are there."""
        wanted: dict[str, set[Id]] = {}
        for draft in drafts:
            for one in (draft, *draft.lines):
                for reference in one.references:
                    wanted.setdefault(reference.collection, set()).add(reference.id)
        kit = self.work.kit
        return {
            collection: set(self.work.repository(kit.schemas[collection].record).many(sorted(ids)))
            for collection, ids in wanted.items()
        }

    def _take(self, draft: Draft, there: Mapping[str, set[Id]]) -> RefusedRow | None:
        """Brings one draft in, or says why not."""
        row = TakenRow(draft.row.line, said_by(draft))
        first = self.outcome.taken.get(draft.id) or self.taken.get(draft.id)
        if first is not None and first.said != row.said:
            return self._contradicted(draft, first)
        refused = self._bring_in(draft, there)
        if refused is None and first is None:
            self.outcome.taken[draft.id] = row
        return refused

    def _contradicted(self, draft: Draft, first: TakenRow) -> RefusedRow:
        """Whichever row came last would win, and each run would change the record twice."""
        expected = f"what line {first.line} says, which has the same key"
        column, text = self.bound.key_of(draft.row)
        problem = InvalidValue(self.bound.schema.name, "key", text, expected)
        return self.bound.refused(draft.row.line, problem, column, text)

    def _bring_in(self, draft: Draft, there: Mapping[str, set[Id]]) -> RefusedRow | None:
        """Adds or updates the record of a draft that contradicts no other, or says why not."""
        computed = self.service.computed
        fields = {name: value for name, value in draft.fields.items() if name not in computed}
        facts = {name: value for name, value in draft.fields.items() if name in computed}
        facts |= draft.facts
        for one in (draft, *draft.lines):
            for reference in one.references:
                if reference.id in there[reference.collection] or (
                    reference.own and reference.id in self.new
                ):
                    continue
                if not reference.own:
                    return _missing(self.bound, one, reference)
                # A file may name a record before it brings it: `link` fills it in, in a second reading.
                fields.pop(reference.field)
                self.outcome.waiting += 1
        before = self.new.get(draft.id) or self.known.get(draft.id)
        if before is not None and self.on_repeat == "skip":
            self.outcome.counts += Counts(rows=1, unchanged=1)
            return None
        try:
            if before is None:
                self._bring(draft, fields, facts)
            else:
                self._update(draft, fields, facts, before)
        except InvalidValue as problem:
            column, text = draft.origin(problem.field)
            return self.bound.refused(draft.row.line, problem, column, text)
        return None

    def _bring(self, draft: Draft, fields: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """A record that is not there yet."""
        record = self.service.build(fields, id=draft.id, **facts)
        if isinstance(record, Customer):
            record = Ownership(self.work).begun(record)
        if isinstance(record, Contact) and record.mobile is None and self.work.policy.mobile_required:
            raise InvalidValue("Contact", "mobile", None, "a mobile number (policy: mobile_required)")
        lines, changes = self._lines(draft), self._changes(draft.changes, record)
        # What a store would refuse is refused here, row by row, and not with the whole batch.
        self.service.schema.admit(record)
        self.new[record.id] = record
        self.lines.update(lines)
        self.changes.update(changes)
        self.outcome.counts += Counts(rows=1, added=1)

    def _update(self, draft: Draft, fields: Mapping[str, Any], facts: Mapping[str, Any], before: Any) -> None:
        """A record that is there, or came earlier in this batch, is brought to what the file says."""
        changes = draft.changes
        if isinstance(before, Opportunity) and not _follows(draft, before):
            # It has gone on since: where it stands is known better here than in the file.
            facts, changes = {}, ()
        after = self.service.schema.evolve(self.service.evolve(before, fields), facts)
        told: tuple[Event, ...] = ()
        ledger: tuple[Record, ...] = ()
        if isinstance(after, Customer) and after.owner_id != before.owner_id:
            if before.id in self.new:
                after = Ownership(self.work).begun(after)
            else:
                after, told, ledger = Ownership(self.work).edited(before, after)
        self.service.schema.admit(after)
        lines, history = self._lines(draft), self._changes(changes, after)
        if before.id in self.new:
            changed = after != before
            self.new[before.id] = after
        else:
            saved = self.service.records.save(before, after, *told, edited=self.kind.edited, lines=ledger)
            changed = saved is not before
            self.known[before.id] = saved
        for rows, found in ((self.lines, lines), (self.changes, history)):
            changed |= self._merge(rows, found)
        self.outcome.counts += Counts(rows=1, updated=int(changed), unchanged=int(not changed))

    def _merge(self, rows: dict[Id, Any], found: Mapping[Id, Any]) -> bool:
        """What of *found* is new goes to *rows*, what is known is brought up to date; whether anything changed."""
        changed = False
        for id, record in found.items():
            before = rows.get(id) or self.beside.get(id)
            if before is None:
                rows[id], changed = record, True
            elif isinstance(record, OpportunityLine):  # a line of history stays as it was written
                records = self.work.repository(OpportunityLine)
                after = records.schema.evolve(before, {name: getattr(record, name) for name in _OF_LINES})
                changed |= after != before
                if id in rows:
                    rows[id] = after
                else:
                    self.beside[id] = records.save(before, after)
        return changed

    def _lines(self, draft: Draft) -> dict[Id, OpportunityLine]:
        """The product lines of a deal; what is not given follows from the rest."""
        found: dict[Id, OpportunityLine] = {}
        schema = self.work.kit.by_record[OpportunityLine]
        for line in draft.lines:
            fields = {name: value for name, value in line.fields.items() if value is not None}
            made = OpportunityLine(id=line.id, **fields)
            if made.amount is None and made.price is not None:
                made = attrs.evolve(made, amount=made.price.times(made.quantity))
            schema.admit(made)
            found[line.id] = made
        return found

    def _changes(self, changes: Sequence[StageChange], record: Any) -> dict[Id, StageChange]:
        """The lines of a deal's history; only for the last of them is the amount known."""
        by = getattr(record, "owner_id", None) or self.work.member
        evolve, last = self.work.kit.by_record[StageChange].evolve, len(changes) - 1
        return {
            change.id: evolve(change, {"by": by, "amount": record.amount if n == last else None})
            for n, change in enumerate(changes)
        }

    def _add(self) -> None:
        """What is new, in bulk."""
        if self._is("Contact"):
            self._primary()
        if self.kind.numbered:
            bare = [record for record in self.new.values() if not record.number]
            for record, number in zip(bare, self.service.numbered(len(bare)) if bare else (), strict=True):
                self.new[record.id] = self.service.schema.evolve(record, {"number": number})
        if self.new:
            self.service.records.add_many(self.new.values(), events=lambda record: (self.kind.added(record),))
        if self.lines:
            self.work.repository(OpportunityLine).add_many(self.lines.values(), events=_line_added)
        if self.changes:
            self.work.repository(StageChange).add_many(self.changes.values())

    def _primary(self) -> None:
        """The first contact of a customer who has none is the primary one."""
        customers = {contact.customer_id for contact in self.new.values()}
        have: set[Id] = set()
        for start in range(0, len(customers), 500):
            part = sorted(customers)[start : start + 500]
            have.update(
                contact.customer_id for contact in self.work.contacts.stream(F.customer_id.one_of(part))
            )
        for contact in list(self.new.values()):
            first = contact.customer_id not in have
            self.new[contact.id] = self.service.schema.evolve(contact, {"primary": first})
            have.add(contact.customer_id)

    def _is(self, entity: str) -> bool:
        return self.bound.records.entity == entity


def _follows(draft: Draft, before: Opportunity) -> bool:
    """Whether the file knows of where the deal stands at least as late as we do."""
    facts = draft.facts
    return bool(before.pipeline == facts["pipeline"] and facts["stage_entered_at"] >= before.stage_entered_at)


def _line_added(line: OpportunityLine) -> tuple[Event, ...]:
    return (LineAdded(record_id=line.id, opportunity_id=line.opportunity_id, product_id=line.product_id),)
