"""
The one way to PyMongo, whatever the client's colour: collections as we read them, calls, transactions.

What it hands on is either colour's, hence untyped: this is the border.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from inspect import iscoroutine
from typing import Any, Final, TypeAlias

from bson.codec_options import CodecOptions
from bson.errors import BSONError
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import ExecutionTimeout, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from salescrm.backends.mongo.documents import Documents
from salescrm.backends.mongo.errors import translated
from salescrm.bridge import wait
from salescrm.schema import Schema

__all__ = ["Client", "Driver"]

Client: TypeAlias = "MongoClient[Any] | AsyncMongoClient[Any]"

_MAJORITY: Final = "majority"
#: How often a commit of unknown outcome is asked for again before the caller hears of it; the driver doubles each.
_COMMITS: Final = 3


class Driver:
    """A client, a database on it, and how we talk to them."""

    def __init__(self, client: Client, database: str, prefix: str) -> None:
        self.client: Any = client
        self._prefix = prefix
        # The host's own options must not reach our reads: stale secondaries, other types.
        self._database = self.client.get_database(
            database,
            codec_options=CodecOptions(),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern(_MAJORITY),
            write_concern=WriteConcern(_MAJORITY),
        )
        self._documents: dict[str, Documents] = {}

    def name(self, collection: str) -> str:
        """What *collection* is called in the database."""
        return f"{self._prefix}{collection}"

    def collection(self, name: str) -> Any:
        """The driver's collection for our collection *name*."""
        return self._database[self.name(name)]

    def documents(self, schema: Schema) -> Documents:
        """How records of *schema* are written and read; made once."""
        made = self._documents.get(schema.collection)
        if made is None:
            made = self._documents[schema.collection] = Documents(schema)
        return made

    def call(self, entity: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What *method* of the driver returns, waited for where it must be; its errors are ours, about *entity*."""
        try:
            return _settled(method(*arguments, **options))
        except (PyMongoError, BSONError) as error:
            raise translated(error, entity) from error

    @cached_property
    def transactions(self) -> bool:
        """Whether the server has transactions: a replica set or a sharded cluster; asks it once."""
        hello = self.call("", self._database.command, "hello")
        return "setName" in hello or hello.get("msg") == "isdbgrid"

    def begin(self) -> Any:
        """A session in a transaction that sees one moment of the database and is kept by the majority."""
        session = self.client.start_session()
        self.call(
            "",
            session.start_transaction,
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern(_MAJORITY),
            read_preference=ReadPreference.PRIMARY,
        )
        return session

    def snapshot(self) -> Any:
        """A session whose reads all see the moment of the first one."""
        return self.client.start_session(snapshot=True)

    def commit(self, session: Any) -> None:
        """Commits; asks again, as drivers should, where the answer was lost on the way."""
        for left in reversed(range(_COMMITS)):
            try:
                _settled(session.commit_transaction())
            except PyMongoError as error:
                unknown = error.has_error_label("UnknownTransactionCommitResult")
                if not left or not unknown or isinstance(error, ExecutionTimeout):
                    raise translated(error, "transaction", committing=True) from error
            else:
                return

    def end(self, session: Any) -> None:
        """Ends a session of ours; a transaction still in it is rolled back."""
        self.call("", session.end_session)


def _settled(value: Any) -> Any:
    """What the driver gave back, waited for if its client is the async one and it takes waiting; cursors don't."""
    return wait(value) if iscoroutine(value) else value
