"""Running an import: file after file in batches, each a unit of work of its own; a refused row never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from salescrm.crm import Crm, Work, connect
from salescrm.errors import CrmError, InvalidValue, StoreError
from salescrm.imports.batches import Outcome, link, write
from salescrm.imports.binding import bind
from salescrm.imports.drafts import Bound, Draft
from salescrm.imports.pipelines import knowing, remember
from salescrm.imports.plan import ImportPlan, OnRepeat
from salescrm.imports.recounting import recount
from salescrm.imports.results import Counts, ImportResult, Progress, RecordsResult, RefusedRow
from salescrm.imports.rows import open_table
from salescrm.imports.taking import Taken, TakenRow, open_taken
from salescrm.policy import Policy
from salescrm.values import Id

__all__ = ["BATCH", "check_plan", "import_files"]

#: How many rows are read, checked and committed at a time.
BATCH: Final = 1_000
#: How many refused rows a result keeps; `import_files` tells of each as it comes.
_KEPT: Final = 10_000

Step: TypeAlias = Callable[[Work, Bound, Sequence[Draft], OnRepeat, Mapping[Id, TakenRow]], Outcome]


def check_plan(plan: ImportPlan, policy: Policy, directory: str | Path) -> None:
    """
    Raises InvalidDefinition unless *plan* fits *policy* and the files in *directory*; no store is needed.

    `import_files` does it too, before it writes anything.
    """
    with connect("memory://", policy=policy) as crm:
        bind(plan, crm, Path(directory))


def import_files(
    crm: Crm,
    plan: ImportPlan,
    directory: str | Path,
    *,
    by: str,
    progress: Callable[[Progress], None] | None = None,
    refused: Callable[[RefusedRow], None] | None = None,
    batch: int = BATCH,
) -> ImportResult:
    """
    Brings the files of *directory* in as *plan* says; what became of every row.

    Each *batch* of rows is committed by itself, so an import that was cut off is begun again and goes on where it
    stopped: records are told by their source keys, and what is there is left alone or updated, as the plan says.
    Of rows of one file with the same key the first that is taken counts; a later one that says something else is refused.
    Memory does not grow with the files: which rows were taken is kept in a temporary file.

    Args:
        by: The member who acts.
        progress: Told after each batch how far it has got.
        refused: Told of each refused row; the result keeps the first ten thousand.

    Raises:
        InvalidDefinition: The plan contradicts itself, the policy or the files; all of it is named, nothing is written.
        StoreError: The engine failed; what was committed stays.
        OSError: A file can't be read on, or there is no room for the temporary one; what was committed stays.
    """
    if type(batch) is not int or not 1 <= batch <= 10_000:
        raise InvalidValue("Import", "batch", batch, "a whole number from 1 to 10000")
    bound = bind(plan, crm, Path(directory))
    crm = knowing(crm, plan.pipelines)
    crm.run(remember, plan, by=by)
    run = _Run(crm, plan, Path(directory), by, batch, progress, refused)
    records = tuple(run.records(one) for one in bound)
    if any(one.entity == "Opportunity" and one.counts.added + one.counts.updated for one in records):
        recount(crm, by=by)
    return ImportResult(plan=plan.name, records=records, refused=tuple(run.kept))


@attrs.define(eq=False)
class _Run:
    """One import as it goes on."""

    crm: Crm
    plan: ImportPlan
    directory: Path
    by: str
    batch: int
    progress: Callable[[Progress], None] | None
    tell: Callable[[RefusedRow], None] | None
    kept: list[RefusedRow] = attrs.field(factory=list)

    def records(self, bound: Bound) -> RecordsResult:
        """Brings in one of the plan's records."""
        with open_taken() as taken:
            counts, waiting = self._read(bound, write, taken)
            if waiting:
                counts += self._read(bound, link, taken)[0]
        records = bound.records
        return RecordsResult(name=records.name, file=records.file, entity=records.entity, counts=counts)

    def _read(self, bound: Bound, step: Step, taken: Taken) -> tuple[Counts, int]:
        """Reads the file once, each batch through *step*; what became of its rows, and what waits for a second reading."""
        counts, waiting, rows = Counts(), 0, 0
        path = self.directory / bound.records.file
        with open_table(path, encoding=self.plan.encoding, delimiter=self.plan.delimiter) as table:
            for drafts, bad in _batches((bound.read(row) for row in table.rows), self.batch):
                if step is write:
                    counts += Counts(rows=len(bad), refused=len(bad))
                    self._refuse(bad)
                if drafts:
                    known = taken.of(draft.id for draft in drafts)
                    outcome = self._step(bound, drafts, step, known)
                    taken.add(outcome.taken)
                    self._refuse(outcome.refused)
                    counts += outcome.counts
                    waiting += outcome.waiting
                rows += len(drafts) + len(bad)
                if self.progress is not None:
                    self.progress(
                        Progress(
                            records=bound.records.name,
                            file=bound.records.file,
                            done=table.done,
                            size=table.size,
                            rows=rows,
                        )
                    )
        return counts, waiting

    def _step(
        self, bound: Bound, drafts: Sequence[Draft], step: Step, taken: Mapping[Id, TakenRow]
    ) -> Outcome:
        """
        *drafts* through *step* in one unit of work; where that fails whole (somebody took an id, a hook refused one),
        in halves, down to the single row that can't be taken.
        """
        try:
            return self.crm.run(step, bound, drafts, self.plan.on_repeat, taken, by=self.by)
        except StoreError:
            raise
        except CrmError as problem:
            if len(drafts) == 1:
                column, text = drafts[0].origin(getattr(problem, "field", ""))
                row = bound.refused(drafts[0].row.line, problem, column, text)
                return Outcome(Counts(rows=1, refused=1), [row])
        middle = len(drafts) // 2
        first = self._step(bound, drafts[:middle], step, taken)
        second = self._step(bound, drafts[middle:], step, {**taken, **first.taken})
        return Outcome(
            counts=first.counts + second.counts,
            refused=first.refused + second.refused,
            waiting=first.waiting + second.waiting,
            taken=first.taken | second.taken,
        )

    def _refuse(self, rows: Sequence[RefusedRow]) -> None:
        for row in rows:
            if self.tell is not None:
                self.tell(row)
        self.kept += rows[: max(_KEPT - len(self.kept), 0)]


def _batches(
    read: Iterator[Draft | RefusedRow | None], size: int
) -> Iterator[tuple[list[Draft], list[RefusedRow]]]:
    """What was read in batches of up to *size* rows, drafts and refusals apart."""
    drafts: list[Draft] = []
    bad: list[RefusedRow] = []
    for one in read:
        if isinstance(one, Draft):
            drafts.append(one)
        elif one is not None:
            bad.append(one)
        if len(drafts) + len(bad) == size:
            yield drafts, bad
            drafts, bad = [], []
    if drafts or bad:
        yield drafts, bad
