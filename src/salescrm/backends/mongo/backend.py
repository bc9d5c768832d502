"""The MongoDB backend: clients, collections and indexes; what happens inside a transaction is `store`'s."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from pymongo import AsyncMongoClient, IndexModel, MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession
from pymongo.errors import ConfigurationError, OperationFailure

from salescrm.backends.mongo.driver import Client, Driver
from salescrm.backends.mongo.errors import translated
from salescrm.backends.mongo.store import MongoStore
from salescrm.backends.mongo.transaction import Transaction
from salescrm.errors import Duplicate, Misconfigured, SchemaOutdated, StoreError
from salescrm.kinds import Kind
from salescrm.schema import Index, Schema
from salescrm.storage import Capabilities

__all__ = ["MongoBackend"]

#: The form of our documents; raised when `documents` changes how a value is kept.
_FORM: Final = 1
_META: Final = "salescrm_schema"
_OURS: Final = "salescrm_"
_DATABASE: Final = "salescrm"
_INDEX_NOT_FOUND: Final = 27


class MongoBackend:
    """
    Records in a MongoDB database, 5.0 or later, through the host's client or one of our own.

    Args:
        client_or_url: A client of either colour, which stays the host's, or a URL, for which a client is opened.
            Stores on an async client work inside ``bridge.run_plain`` only.
        database: Its name; else the URL's default database, else ``salescrm``.
        prefix: Put before the name of every collection.
        asynchronous: For a URL: open an async client.
        random: A number from 0 up to 1, for those who race to choose different records.

    Raises:
        Misconfigured: The driver does not take the URL.
    """

    def __init__(
        self,
        client_or_url: Client | str,
        schemas: Sequence[Schema],
        *,
        database: str | None = None,
        prefix: str = "",
        asynchronous: bool = False,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._random = random
        self._owned = isinstance(client_or_url, str)
        self._schemas = tuple(schemas)
        client = _client(client_or_url, asynchronous=asynchronous)
        self._driver = Driver(client, database or client.get_default_database(_DATABASE).name, prefix)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the server can do; the first look asks it."""
        transactions = self._driver.transactions
        hosts = (self._session.__name__,) if transactions else ()
        return Capabilities(transactions=transactions, joinable=(*hosts, MongoStore.__name__))

    @property
    def _session(self) -> type[Any]:
        return AsyncClientSession if isinstance(self._driver.client, AsyncMongoClient) else ClientSession

    def open(self, tenant: str) -> MongoStore:
        """A store in a transaction of its own."""
        return MongoStore(Transaction(self._driver), tenant, owned=True, random=self._random)

    def join(self, handle: object, tenant: str) -> MongoStore:
        """
        A store inside the transaction of the host's session *handle*, or of another store of this backend.

        On effects that wait for a host's commit see `MongoStore.after_commit`.

        Raises:
            Misconfigured: *handle* is neither, belongs to another client, or has no transaction in progress.
        """
        return MongoStore(self._joined(handle), tenant, owned=False, random=self._random)

    def _joined(self, handle: object) -> Transaction:
        if isinstance(handle, MongoStore):
            if handle.transaction.driver is not self._driver:
                raise Misconfigured("the store is another backend's", "join it there")
            return handle.transaction
        if not isinstance(handle, self._session):
            reason = f"a {type(handle).__name__} is no transaction on MongoDB"
            raise Misconfigured(reason, f"pass a {self._session.__name__}")
        if handle.client is not self._driver.client:
            raise Misconfigured(
                "the session is another client's", "connect with the client that the session is of"
            )
        if not self._driver.transactions:
            raise Misconfigured("this MongoDB has no transactions", "run it as a replica set")
        if not handle.in_transaction:
            raise Misconfigured("the session has no transaction", "call session.start_transaction() first")
        return Transaction(self._driver, handle)

    def migrate(self) -> None:
        """
        Creates collections and indexes that are missing and drops those of ours that no schema names any more.

        Safe to call again, and by several processes at once: each of its steps leaves alone what is there.
        """
        for schema in self._schemas:
            self._index(schema)
        meta = self._driver.collection(_META)
        with suppress(Duplicate):  # another process was first, with the same answer
            self._driver.call(
                _META, meta.update_one, {"_id": "schema"}, {"$set": {"version": self._version}}, upsert=True
            )

    def _index(self, schema: Schema) -> None:
        collection = self._driver.collection(schema.collection)
        wanted = {index.document["name"]: index for index in _indexes(schema)}
        there = self._driver.call(schema.name, collection.index_information)
        for name in there.keys() - wanted.keys():
            if name.startswith(_OURS):
                self._drop(schema, collection, name)
        # Even those that are there: creating one again does nothing, and another process may just have dropped it.
        self._driver.call(schema.name, collection.create_indexes, list(wanted.values()))

    def _drop(self, schema: Schema, collection: Any, name: str) -> None:
        try:
            self._driver.call(schema.name, collection.drop_index, name)
        except StoreError as error:
            # Another process may have been first.
            if not (
                isinstance(error.__cause__, OperationFailure) and error.__cause__.code == _INDEX_NOT_FOUND
            ):
                raise

    def verify(self) -> None:
        """Raises SchemaOutdated unless `migrate` has been run for these schemas."""
        found = self._driver.call(_META, self._driver.collection(_META).find_one, {"_id": "schema"})
        version = found and found.get("version")
        if version != self._version:
            raise SchemaOutdated(version, self._version)

    @cached_property
    def _version(self) -> str:
        """The form of documents, and a digest of what collections and indexes there are to be."""
        wanted = {
            schema.collection: [
                {name: list(one.items()) if name == "key" else one for name, one in index.document.items()}
                for index in _indexes(schema)
            ]
            for schema in self._schemas
        }
        text = json.dumps(wanted, sort_keys=True, default=str)
        return f"{_FORM}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def close(self) -> None:
        """Closes the client if this backend opened it."""
        if self._owned:
            self._driver.call("", self._driver.client.close)


def _client(client_or_url: Client | str, *, asynchronous: bool) -> Client:
    if not isinstance(client_or_url, str):
        return client_or_url
    kind: type[Client] = AsyncMongoClient if asynchronous else MongoClient
    try:
        return kind(client_or_url)
    except ConfigurationError as error:
        raise translated(error, "") from error


def _indexes(schema: Schema) -> list[IndexModel]:
    """The tenant leads each of them; the id ends those that are not unique, so that a page's order is the index's."""
    every = IndexModel([("tenant", 1), ("id", 1)], name=f"{_OURS}id")
    return [every, *(_index(schema, one) for one in schema.indexes)]


def _index(schema: Schema, index: Index) -> IndexModel:
    columns = ("tenant", *index.columns)
    if not index.unique:
        columns = (*columns, "id", *index.covering)
        return IndexModel([(name, 1) for name in columns], name=_OURS + "_".join(columns[1:]))
    name = f"{_OURS}unique_{'_'.join(index.columns)}"
    nullable = [schema.by_column[one] for one in index.columns if schema.by_column[one].nullable]
    keys = [(name, 1) for name in columns]
    if not nullable:
        return IndexModel(keys, name=name, unique=True)
    # Nulls are exempt, as in SQL.  By a comparison, not by $type: a planner sees that {"$eq": "C1"} satisfies it.
    partial = {one.name: {"$gte": _least(one.kind)} for one in nullable}
    return IndexModel(keys, name=f"{name}_set", unique=True, partialFilterExpression=partial)


def _least(kind: Kind) -> Any:
    """A value that no value of *kind* is below."""
    match kind:
        case Kind.WHOLE:
            return -(2**63)
        case Kind.FLAG:
            return False
        case Kind.MOMENT:
            return datetime(1, 1, 1, tzinfo=UTC)
        case _:
            return ""
