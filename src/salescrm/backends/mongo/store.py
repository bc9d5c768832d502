"""One open transaction on MongoDB, as `storage.Store` promises it; how questions look to MongoDB is `compile`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from salescrm.backends.mongo.compile import reading
from salescrm.backends.mongo.documents import decoder, encode, key
from salescrm.backends.mongo.driver import Driver
from salescrm.backends.mongo.expressions import kind_of
from salescrm.backends.mongo.tallies import rows, tallying
from salescrm.errors import Duplicate, Misconfigured, StaleWrite, Transient
from salescrm.plans import Asked, AskedTally, Follow, Source
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Write

__all__ = ["MongoStore"]

#: Ids in one ``$in``, documents in one bulk write.
_BATCH: Final = 200


class MongoStore:
    """
    A store on the documents of *tenant*; with *session*, inside the host's transaction.

    Reads before the first write run outside any transaction, later ones inside it.  Where the server has no
    transactions each write stands at once, and an insert that fails takes back what it had inserted.
    """

    def __init__(self, driver: Driver, tenant: str, session: Any = None) -> None:
        self.tenant = tenant
        self._driver = driver
        self._session = session
        self._joined = session is not None
        self._effects: list[Callable[[], None]] = []

    # Reading.

    def get(self, schema: Schema, id: str) -> Any | None:
        """See `storage.Store`."""
        found = self._do(schema, "find_one", {"_id": key(self.tenant, id)})
        return None if found is None else self._driver.documents(schema).read([found])[0]

    def find(self, asked: Asked) -> list[Any]:
        """See `storage.Store`."""
        return self._driver.documents(asked.plan.schema).read(self._found(asked))

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        """See `storage.Store`."""
        columns = asked.plan.columns or ()
        read = [(f"c{index}", decoder(kind_of(column))) for index, column in enumerate(columns)]
        return [tuple(decode(row[name]) for name, decode in read) for row in self._found(asked, columns)]

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        """See `storage.Store`."""
        plan = asked.plan
        pipeline = tallying(self.tenant, plan, asked.values, collection=self._collection_of)
        groups = self._all(plan.schema, self._do(plan.schema, "aggregate", pipeline, allowDiskUse=True))
        return rows(plan, groups)

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        """
        See `storage.Store`.

        Outside a transaction MongoDB's cursor walks the live index: in the order of ids each record still comes once.
        In any other order it reads one moment of the database, which servers keep for five minutes (then `Transient`);
        a server without transactions keeps none, and a record that moves along the order may come twice or not at all.
        """
        schema, session = asked.plan.schema, self._session
        if session is None and len(asked.plan.order) > 1 and self._driver.transactions:
            session = self._driver.snapshot()
        try:
            if (cursor := self._cursor(asked, None, session, size)) is None:
                return
            while documents := self._driver.call(schema.name, cursor.to_list, size):
                yield self._driver.documents(schema).read(documents)
        finally:
            if session is not self._session:
                self._driver.end(session)

    def _found(self, asked: Asked, columns: Sequence[Source] | None = None) -> list[dict[str, Any]]:
        cursor = self._cursor(asked, columns, self._session)
        return [] if cursor is None else self._all(asked.plan.schema, cursor)

    def _all(self, schema: Schema, cursor: Any) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = self._driver.call(schema.name, cursor.to_list)
        return documents

    def _cursor(
        self, asked: Asked, columns: Sequence[Source] | None, session: Any, size: int | None = None
    ) -> Any | None:
        """The driver's cursor on what is asked; None for a limit of 0, which MongoDB reads as no limit."""
        plan, values = asked.plan, asked.values
        most = None if plan.limit_slot is None else values[plan.limit_slot]
        if most == 0:
            return None
        how = reading(
            self.tenant,
            plan.where,
            values,
            order=plan.order,
            most=most,
            columns=columns,
            collection=self._collection_of,
        )
        # One more than asked for: the server then knows in the first answer that there is no second.
        batch = size or (1000 if most is None else most + 1)
        if how.pipeline is not None:
            return self._do(
                plan.schema, "aggregate", how.pipeline, session=session, batchSize=batch, allowDiskUse=True
            )
        return self._do(
            plan.schema,
            "find",
            how.filter,
            how.projection,
            session=session,
            sort=how.sort or None,
            limit=most or 0,
            batch_size=batch,
        )

    def _collection_of(self, hop: Follow) -> str:
        return self._driver.name(hop.schema.collection)

    # Writing.

    def write(self, *writes: Write) -> None:
        """See `storage.Store`; a round trip for each run of writes of one kind to one collection."""
        self._begin()
        for schema, run in groupby(writes, key=lambda one: one.schema):
            for kind, some in groupby(run, key=type):
                alike = list(some)
                if kind is Insert:
                    self._insert(
                        schema, [new for one in alike if isinstance(one, Insert) for new in one.records]
                    )
                self._replace(schema, [one for one in alike if isinstance(one, Replace)])
                self._delete(schema, [one for one in alike if isinstance(one, Delete)])

    def _insert(self, schema: Schema, records: Sequence[Any]) -> None:
        if not records:
            return
        write = self._driver.documents(schema).write
        documents = [write(self.tenant, record) for record in records]
        try:
            self._do(schema, "insert_many", documents)
        except Duplicate as duplicate:
            if self._session is None and isinstance(duplicate.__cause__, BulkWriteError):
                self._take_back(schema, documents[: duplicate.__cause__.details["nInserted"]])
            raise

    def _take_back(self, schema: Schema, documents: Sequence[Mapping[str, Any]]) -> None:
        for batch in _batches([one["_id"] for one in documents]):
            self._do(schema, "delete_many", {"_id": {"$in": batch}})

    def _replace(self, schema: Schema, writes: Sequence[Replace]) -> None:
        write = self._driver.documents(schema).write
        # Without a transaction one by one, so that nothing behind a stale one is written.
        for batch in _batches(writes, _BATCH if self._session is not None else 1):
            documents = [write(self.tenant, one.record) for one in batch]
            filters = [
                {"_id": document["_id"], "version": one.expected_version}
                for one, document in zip(batch, documents, strict=True)
            ]
            operations = [ReplaceOne(*pair) for pair in zip(filters, documents, strict=True)]
            if self._do(schema, "bulk_write", operations).matched_count != len(batch):
                raise self._stale(schema, batch, documents)

    def _stale(
        self, schema: Schema, writes: Sequence[Replace], documents: Sequence[dict[str, Any]]
    ) -> StaleWrite:
        """The error for the first of *writes* that is not what is stored now: MongoDB counts, it does not name."""
        stale = writes[0]
        if len(writes) > 1:
            codec = self._driver.documents(schema)
            cursor = self._do(schema, "find", {"_id": {"$in": [one["_id"] for one in documents]}})
            stored = {one["_id"]: record for one in self._all(schema, cursor) for record in codec.read([one])}
            pairs = zip(writes, documents, strict=True)
            stale = next((one for one, document in pairs if stored.get(document["_id"]) != one.record), stale)
        return StaleWrite(schema.name, stale.record.id, stale.expected_version)

    def _delete(self, schema: Schema, writes: Sequence[Delete]) -> None:
        for one in writes:
            filter_ = {"_id": key(self.tenant, one.id), "version": one.expected_version}
            if not self._do(schema, "delete_one", filter_).deleted_count:
                raise StaleWrite(schema.name, one.id, one.expected_version)

    def change(self, asked: Asked, values: Mapping[str, Any], *, skip_locked: bool = True) -> list[Any]:
        """
        See `storage.Store`.

        MongoDB has no waiting for a record that another transaction holds, and no skipping it: it ends this
        transaction, whatever *skip_locked* says, and that is `Transient`.  Who comes second tries again.
        """
        self._begin()
        schema = asked.plan.schema
        kinds = schema.by_column
        new = {name: encode(kinds[name].kind, one) for name, one in values.items()}
        update = {"$inc": {"version": 1}} | ({"$set": new} if new else {})
        found = (
            self._change_alone(asked, update) if self._session is None else self._change_all(asked, update)
        )
        return self._driver.documents(schema).read(found)

    def _change_all(self, asked: Asked, update: dict[str, Any]) -> list[dict[str, Any]]:
        # The transaction sees one moment: what was found is still so, or the update meets a write conflict.
        found = self._found(asked)
        for batch in _batches([key(self.tenant, one["id"]) for one in found]):
            result = self._do(asked.plan.schema, "update_many", {"_id": {"$in": batch}}, update)
            if result.matched_count != len(batch):
                raise Transient("a record went away")  # a host's transaction of weaker isolation
        return found

    def _change_alone(self, asked: Asked, update: dict[str, Any]) -> list[dict[str, Any]]:
        """Without transactions: each record as it was found or not at all; looks again while others come first."""
        plan, changed = asked.plan, dict[str, dict[str, Any]]()
        most: int | None = None if plan.limit_slot is None else asked.values[plan.limit_slot]
        lost = True
        while lost and (most is None or len(changed) < most):
            lost = False
            # The new values may match as well, so what was changed may be found again.
            again = [*asked.values]
            if plan.limit_slot is not None and most is not None:
                again[plan.limit_slot] = most + len(changed)
            found = [one for one in self._found(Asked(plan, again)) if one["id"] not in changed]
            for one in found[: None if most is None else most - len(changed)]:
                filter_ = {"_id": key(self.tenant, one["id"]), "version": one["version"]}
                if self._do(plan.schema, "update_one", filter_, update).matched_count:
                    changed[one["id"]] = one
                else:
                    lost = True
        return [*changed.values()]

    # The transaction.

    def commit(self) -> None:
        """See `storage.Store`."""
        if self._joined:
            return
        if self._session is not None:
            self._driver.commit(self._session)
            self._end()
        self._run_effects()

    def rollback(self) -> None:
        """See `storage.Store`; without transactions nothing that was written can be taken back."""
        self._effects.clear()
        if self._session is not None and not self._joined:
            self._end()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """
        See `storage.Store`; inside a host's transaction *effect* waits for `host_committed`.

        PyMongo tells nobody that a session's transaction was committed.  Events lose nothing by it: they are in the
        outbox, and the next dispatch finds them.
        """
        self._effects.append(effect)

    def host_committed(self) -> None:
        """For the host to call after it committed the transaction that this store had joined: runs what waited for it."""
        if not self._joined:
            raise Misconfigured("this store has a transaction of its own", "call commit()")
        if self._session.in_transaction:
            raise Misconfigured("the host's transaction is still open", "commit it first")
        self._run_effects()

    def _run_effects(self) -> None:
        effects, self._effects = self._effects, []
        for effect in effects:
            effect()

    def _begin(self) -> None:
        """Opens the transaction before the first write, where the server has transactions."""
        if self._session is None and self._driver.transactions:
            self._session = self._driver.begin()

    def _end(self) -> None:
        session, self._session = self._session, None
        self._driver.end(session)

    def _do(self, schema: Schema, method: str, *arguments: Any, **options: Any) -> Any:
        """What the driver's *method* on the collection of *schema* returns, inside the transaction if there is one."""
        collection = self._driver.collection(schema.collection)
        options.setdefault("session", self._session)
        return self._driver.call(schema.name, getattr(collection, method), *arguments, **options)


def _batches(items: Sequence[Any], size: int = _BATCH) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
