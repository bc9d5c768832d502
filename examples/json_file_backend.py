"""
A backend of one's own: records in a JSON file, for one process and some thousands of records.

It keeps the whole contract of `salescrm.storage`, and ``tests/contract/test_json_file.py`` holds it to that.
What a question means is not written here again: `salescrm.meaning` says it for any records in memory.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from salescrm import errors, meaning
from salescrm.codegen import JSON_WRITE
from salescrm.kinds import Kind
from salescrm.plans import Asked, AskedTally, FindPlan, TallyPlan
from salescrm.schema import Schema
from salescrm.storage import Capabilities, Delete, Insert, Replace, Write
from salescrm.sweeps import RowTemplate

__all__ = ["JsonFileBackend", "JsonFileStore"]

#: By tenant and collection, the records by id. A table that was committed is never changed again, only replaced.
Tables: TypeAlias = dict[tuple[str, str], dict[str, Any]]

FORMAT: Final = "1"


class JsonFileBackend:
    """
    Records in the JSON file *path*, all of them in memory as well; a `storage.Backend` of *schemas* by collection.

    One transaction writes at a time; the next one waits up to *patience* seconds and then gets `Transient`.  Reading
    waits for nobody.  The file must not be opened by two processes at once: neither would see what the other wrote.
    """

    capabilities: Final = Capabilities(concurrent_writers=False, joinable=("JsonFileStore",))

    def __init__(self, path: str | Path, schemas: Mapping[str, Schema], *, patience: float = 5.0) -> None:
        self.patience: Final = patience
        self.writing: Final = threading.Lock()
        self._path = Path(path)
        self._schemas = schemas
        self.committed: Tables = self._load() if self._path.exists() else {}

    def open(self, tenant: str) -> JsonFileStore:
        return JsonFileStore(_Transaction(self), tenant, owned=True)

    def join(self, handle: object, tenant: str) -> JsonFileStore:
        if not isinstance(handle, JsonFileStore) or handle.transaction.backend is not self:
            raise errors.Misconfigured("that is no store of this backend", "join one of its own")
        handle.transaction.check()
        return JsonFileStore(handle.transaction, tenant, owned=False)

    def migrate(self) -> None:
        if not self._path.exists():
            self.save({})

    def verify(self) -> None:
        if not self._path.exists():
            raise errors.SchemaOutdated(None, FORMAT)

    def close(self) -> None:
        """Nothing to free: the file is open only while it is read or written."""

    def _load(self) -> Tables:
        content = json.loads(self._path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise errors.SchemaOutdated(content["format"], FORMAT)
        tables: Tables = {}
        for tenant, name, documents in content["tables"]:
            records = map(self._schemas[name].from_document, documents)
            tables[tenant, name] = {record.id: record for record in records}
        return tables

    def save(self, tables: Tables) -> None:
        """Makes *tables* the committed ones, in the file first."""
        content = [
            (tenant, name, [self._schemas[name].to_document(record) for record in table.values()])
            for (tenant, name), table in tables.items()
        ]
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"format": FORMAT, "tables": content}, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            # Whoever opens the path finds the old file or the new one, never half of one.
            draft.replace(self._path)
        except OSError as problem:
            raise errors.EngineError(f"{self._path.name} can't be written: {problem.strerror}") from problem
        self.committed = tables


@attrs.define(eq=False)
class _Transaction:
    """What the stores of one transaction share: the tables that they have changed, and the right to write."""

    backend: JsonFileBackend
    effects: list[Callable[[], None]] = attrs.field(factory=list)
    _changed: Tables = attrs.field(factory=dict)
    _holds_lock: bool = False
    _ended: str | None = None

    def check(self) -> None:
        if self._ended is not None:
            raise errors.WorkEnded(self._ended)

    def table(self, name: tuple[str, str]) -> Mapping[str, Any]:
        """The records as this transaction sees them: its own where it has written, else what others committed."""
        self.check()
        return self._changed.get(name, self.backend.committed.get(name, {}))

    def writable(self, name: tuple[str, str]) -> dict[str, Any]:
        """A copy of the table to write into, nobody else's until the commit."""
        return self._changed.setdefault(name, dict(self.table(name)))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes from here until the end; after an error, nothing but a rollback is possible."""
        self.check()
        if not self._holds_lock:
            self._holds_lock = self.backend.writing.acquire(timeout=self.backend.patience)
            if not self._holds_lock:
                raise errors.Transient("somebody else has been writing for too long")
        try:
            yield
        except BaseException:
            self._ended = "a write failed"
            raise

    def commit(self) -> None:
        self.check()
        try:
            if self._changed:
                self.backend.save(self.backend.committed | self._changed)
        finally:
            self.end("it was committed")
        for effect in self.effects:
            effect()

    def end(self, how: str) -> None:
        self._ended = how
        self._changed = {}
        if self._holds_lock:
            self._holds_lock = False
            self.backend.writing.release()


@attrs.frozen(eq=False)
class JsonFileStore:
    """A `storage.Store` on a `JsonFileBackend`."""

    transaction: _Transaction
    tenant: str
    _owned: bool = attrs.field(kw_only=True)

    def get(self, schema: Schema, id: str) -> Any | None:
        return self.transaction.table((self.tenant, schema.collection)).get(id)

    def find(self, asked: Asked) -> list[Any]:
        plan, found = asked.plan, self._matching(asked)
        limit = None if plan.limit_slot is None else asked.values[plan.limit_slot]
        return meaning.sorted_by(plan.schema, plan.order)(found, limit) if plan.order else found[:limit]

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        return meaning.shown(asked.plan, self.find(asked), self.get)

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        return meaning.tabulator(asked.plan)(self._matching(asked), asked.values, self.get)

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        found = iter(self.find(asked))
        return iter(lambda: list(islice(found, size)), [])

    def _matching(self, asked: Asked | AskedTally) -> list[Any]:
        plan: FindPlan | TallyPlan = asked.plan
        holds = meaning.condition(plan.schema, plan.where)
        records = self.transaction.table((self.tenant, plan.schema.collection)).values()
        return [record for record in records if holds(record, asked.values, self.get)]

    def write(self, *writes: Write) -> None:
        with self.transaction.writing():
            for one in writes:
                table = self.transaction.writable((self.tenant, one.schema.collection))
                _do(one, table)
                _check_unique(one.schema, table)

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        with self.transaction.writing():
            pass  # Nobody else can, from here on.

    def change(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        *,
        skip_locked: bool = True,
        beside: Sequence[Insert] = (),
    ) -> list[Any]:
        schema = asked.plan.schema
        with self.transaction.writing():
            # Looked for only now that nobody else writes: what matches stays as it is until we have changed it.
            found = self.find(asked)
            columns = {name: _as_json(schema.by_column[name].kind, value) for name, value in values.items()}
            table = self.transaction.writable((self.tenant, schema.collection))
            for record in found:
                document = schema.to_document(record) | columns | {"version": record.version + 1}
                table[record.id] = schema.from_document(document)
            _check_unique(schema, table)
            if len(found) == asked.limit:
                self.write(*beside)
        return meaning.shown(asked.plan, found, self.get)

    def sweep(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        rows: Sequence[RowTemplate],
        *,
        skip_locked: bool = True,
    ) -> int:
        changed = self.change(asked, values)
        with self.transaction.writing():
            self.write(*meaning.swept_rows(asked, values, rows, changed, self.get))
        return len(changed)

    def commit(self) -> None:
        if self._owned:
            self.transaction.commit()

    def rollback(self) -> None:
        if self._owned:
            self.transaction.end("it was rolled back")

    def after_commit(self, effect: Callable[[], None]) -> None:
        self.transaction.check()
        self.transaction.effects.append(effect)


def _do(write: Write, table: dict[str, Any]) -> None:
    match write:
        case Insert(schema, records):
            for record in records:
                if record.id in table:
                    raise errors.Duplicate(schema.name, ("id",))
                table[record.id] = record
        case Replace(schema, _, version) | Delete(schema, _, version):
            id = write.record.id if isinstance(write, Replace) else write.id
            if id not in table or table[id].version != version:
                raise errors.StaleWrite(schema.name, id, version)
            if isinstance(write, Replace):
                table[id] = write.record
            else:
                del table[id]


def _check_unique(schema: Schema, table: Mapping[str, Any]) -> None:
    for index in schema.unique:
        keys = [tuple(schema.getters[name](one) for name in index.columns) for one in table.values()]
        held = [key for key in keys if None not in key]
        if len(set(held)) < len(held):
            raise errors.Duplicate(schema.name, index.columns)


def _as_json(kind: Kind, value: Any) -> Any:
    """A plain column value in the form that a document holds it in."""
    return value if value is None or kind not in JSON_WRITE else JSON_WRITE[kind](value)
