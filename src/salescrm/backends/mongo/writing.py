"""Inserts, replacements and deletions as MongoDB takes them, and which of them failed; changes by question are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeVar

from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from salescrm.backends.mongo.documents import key
from salescrm.backends.mongo.transaction import Transaction
from salescrm.errors import Duplicate, StaleWrite, Transient
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Write

__all__ = ["Writing", "batches"]

T = TypeVar("T")

#: Ids in one ``$in``, replacements in one bulk write.
_BATCH: Final = 200


def batches(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    """*items* in pieces that one command takes."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Writing:
    """Writes to the documents of *tenant* in *transaction*."""

    def __init__(self, transaction: Transaction, tenant: str) -> None:
        self._transaction = transaction
        self._tenant = tenant

    def write(self, writes: Sequence[Write]) -> None:
        """All of *writes* in their order; one command for each run of neighbours of a kind on a collection."""
        for schema, run in groupby(writes, key=lambda one: one.schema):
            for _, alike in groupby(run, key=type):
                some = [*alike]
                self._insert(schema, [new for one in some if isinstance(one, Insert) for new in one.records])
                self._replace(schema, [one for one in some if isinstance(one, Replace)])
                self._delete(schema, [one for one in some if isinstance(one, Delete)])

    @property
    def _alone(self) -> bool:
        """Whether no transaction will take back what was written before a failure."""
        return self._transaction.session is None

    def _documents(self, schema: Schema, records: Sequence[Any]) -> list[dict[str, Any]]:
        write = self._transaction.driver.documents(schema).write
        return [write(self._tenant, record) for record in records]

    def _insert(self, schema: Schema, records: Sequence[Any]) -> None:
        if not records:
            return  # which the driver would refuse
        documents = self._documents(schema, records)
        try:
            self._transaction.do(schema, "insert_many", documents)
        except Duplicate as duplicate:
            if self._alone and isinstance(duplicate.__cause__, BulkWriteError):
                self._take_back(schema, documents[: duplicate.__cause__.details["nInserted"]])
            raise

    def _take_back(self, schema: Schema, documents: Sequence[Mapping[str, Any]]) -> None:
        for batch in batches([one["_id"] for one in documents]):
            self._transaction.do(schema, "delete_many", {"_id": {"$in": batch}})

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        """Raises the versions of *records*, which are inserted where missing: who else does so meets a conflict."""
        if not records or self._alone:
            return
        operations = []
        for document in self._documents(schema, records):
            del document["version"]
            id = {"_id": document.pop("_id")}
            operations.append(UpdateOne(id, {"$inc": {"version": 1}, "$setOnInsert": document}, upsert=True))
        try:
            self._transaction.do(schema, "bulk_write", operations)
        except Duplicate as taken:
            raise Transient("somebody else held it for the first time just now") from taken

    def _replace(self, schema: Schema, writes: Sequence[Replace]) -> None:
        # Alone one by one, so that nothing behind a stale one is written.
        for batch in batches(writes, 1 if self._alone else _BATCH):
            documents = self._documents(schema, [one.record for one in batch])
            operations = [
                ReplaceOne({"_id": document["_id"], "version": one.expected_version}, document)
                for one, document in zip(batch, documents, strict=True)
            ]
            if self._transaction.do(schema, "bulk_write", operations).matched_count != len(batch):
                raise self._stale(schema, batch, documents)

    def _stale(
        self, schema: Schema, writes: Sequence[Replace], documents: Sequence[Mapping[str, Any]]
    ) -> StaleWrite:
        """The error for the first of *writes* that is not what is stored now: MongoDB counts, it does not name."""
        stale = writes[0]
        if len(writes) > 1:
            cursor = self._transaction.do(schema, "find", {"_id": {"$in": [one["_id"] for one in documents]}})
            stored = self._transaction.all(schema, cursor)
            records = {one.id: one for one in self._transaction.driver.documents(schema).read(stored)}
            stale = next((one for one in writes if records.get(one.record.id) != one.record), stale)
        return StaleWrite(schema.name, stale.record.id, stale.expected_version)

    def _delete(self, schema: Schema, writes: Sequence[Delete]) -> None:
        for one in writes:
            expected = {"_id": key(self._tenant, one.id), "version": one.expected_version}
            if not self._transaction.do(schema, "delete_one", expected).deleted_count:
                raise StaleWrite(schema.name, one.id, one.expected_version)
