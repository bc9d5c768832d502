"""A store on MongoDB, as `storage.Store` promises it: documents in, records out; the work is done by its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from salescrm import meaning
from salescrm.backends.mongo.changes import Changing, update_of
from salescrm.backends.mongo.documents import decoder, key
from salescrm.backends.mongo.expressions import kind_of
from salescrm.backends.mongo.finding import cursor_on, found
from salescrm.backends.mongo.tallies import rows, tallying
from salescrm.backends.mongo.transaction import Transaction
from salescrm.backends.mongo.writing import Writing
from salescrm.plans import Asked, AskedTally
from salescrm.schema import Schema
from salescrm.storage import Insert, Write
from salescrm.sweeps import RowTemplate

__all__ = ["MongoStore"]


class MongoStore:
    """
    A `storage.Store` on the documents of *tenant*; get one from the backend.

    Reads before the first write run outside any transaction, later ones inside it.  Where the server has no
    transactions each write stands at once, and an insert that fails takes back what it had inserted.
    """

    def __init__(
        self, transaction: Transaction, tenant: str, *, owned: bool, random: Callable[[], float]
    ) -> None:
        self.tenant = tenant
        self.transaction = transaction
        self._owned = owned
        self._driver = transaction.driver
        self._writing = Writing(transaction, tenant)
        self._changing = Changing(transaction, tenant, random)

    def get(self, schema: Schema, id: str) -> Any | None:
        """See `storage.Store`."""
        document = self.transaction.do(schema, "find_one", {"_id": key(self.tenant, id)})
        return None if document is None else self._driver.documents(schema).read([document])[0]

    def find(self, asked: Asked) -> list[Any]:
        """See `storage.Store`."""
        documents = found(self.transaction, self.tenant, asked)
        return self._driver.documents(asked.plan.schema).read(documents)

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        """See `storage.Store`."""
        columns = asked.plan.columns or ()
        cells = [(f"c{index}", decoder(kind_of(column))) for index, column in enumerate(columns)]
        documents = found(self.transaction, self.tenant, asked, columns)
        return [tuple([decode(one[name]) for name, decode in cells]) for one in documents]

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        """See `storage.Store`."""
        plan = asked.plan
        pipeline = tallying(
            self.tenant,
            plan,
            asked.values,
            collection=lambda hop: self._driver.name(hop.schema.collection),
        )
        cursor = self.transaction.do(plan.schema, "aggregate", pipeline, allowDiskUse=True)
        return rows(plan, self.transaction.all(plan.schema, cursor))

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        """
        See `storage.Store`.

        Outside a transaction MongoDB's cursor walks the live index: in the order of ids each record still comes once.
        In any other order it reads one moment of the database, which servers keep for five minutes (then `Transient`);
        a server without transactions keeps none, and a record that moves along the order may come twice or not at all.
        """
        schema, session = asked.plan.schema, self.transaction.session
        borrowed = session is None and len(asked.plan.order) > 1 and self._driver.transactions
        if borrowed:
            session = self._driver.snapshot()
        try:
            if (
                cursor := cursor_on(self.transaction, self.tenant, asked, session=session, size=size)
            ) is None:
                return
            while documents := self._driver.call(schema.name, cursor.to_list, size):
                yield self._driver.documents(schema).read(documents)
        finally:
            if borrowed:
                self._driver.end(session)

    def write(self, *writes: Write) -> None:
        """See `storage.Store`."""
        self.transaction.begin()
        self._writing.write(writes)

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        """See `storage.Store`; nobody can wait on MongoDB, so who comes second is told `Transient`."""
        self.transaction.begin()
        self._writing.hold(schema, records)

    def change(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        *,
        skip_locked: bool = True,
        beside: Sequence[Insert] = (),
    ) -> list[Any]:
        """
        See `storage.Store`.

        A record that another transaction holds can't be waited for on MongoDB: that is `Transient` when *skip_locked*
        is false, when this transaction has written before, and when others keep coming first.
        """
        schema = asked.plan.schema
        documents = self._changing.change(asked, update_of(schema, values), skip_locked=skip_locked)
        if beside and len(documents) == asked.limit:
            self.write(*beside)
        return meaning.shown(asked.plan, self._driver.documents(schema).read(documents), self.get)

    def sweep(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        rows: Sequence[RowTemplate],
        *,
        skip_locked: bool = True,
    ) -> int:
        """See `storage.Store`; the rows are made here and sent in batches: no pipeline writes to several collections."""
        changed = self.change(asked, values, skip_locked=skip_locked)
        self._writing.write(meaning.swept_rows(asked, values, rows, changed, self.get))
        return len(changed)

    def commit(self) -> None:
        """See `storage.Store`."""
        if self._owned:
            self.transaction.commit()

    def rollback(self) -> None:
        """See `storage.Store`; without transactions nothing that was written can be taken back."""
        if self._owned:
            self.transaction.rollback()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """
        See `storage.Store`; inside a host's transaction *effect* waits for `host_committed`.

        PyMongo tells nobody that a session's transaction was committed.  Events lose nothing by it: they are in the
        outbox, and the next dispatch finds them.
        """
        self.transaction.after_commit(effect)

    def host_committed(self) -> None:
        """For a host to call after it committed the transaction that this store had joined: runs what waited for it.

        Raises:
            Misconfigured: The transaction is not a host's, or still open.
        """
        self.transaction.host_committed()
