"""`Store.change` on MongoDB: many records set at once, none by two; plain writes are in `writing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from salescrm.backends.mongo.documents import encode, key
from salescrm.backends.mongo.finding import found
from salescrm.backends.mongo.transaction import Transaction
from salescrm.backends.mongo.writing import batches
from salescrm.errors import Transient
from salescrm.plans import Asked
from salescrm.schema import Schema

__all__ = ["Changing", "update_of"]

Document: TypeAlias = dict[str, Any]

#: How far past the front to look, in limits, at each try; the first takes the front itself.
_REACH: Final = (1, 4, 16, 64)


def update_of(schema: Schema, values: Mapping[str, Any]) -> Document:
    """The update that sets plain *values* by column name and raises the version."""
    kinds = schema.by_column
    new = {name: encode(kinds[name].kind, one) for name, one in values.items()}
    return {"$inc": {"version": 1}} | ({"$set": new} if new else {})


@attrs.frozen
class Changing:
    """
    Changes documents of *tenant* in *transaction*.

    MongoDB neither waits for a document that another transaction holds nor skips it: it ends the transaction of whoever
    comes second.  Where that one has not written yet, it looks again, further behind the front the more often it has
    lost, from a place that *random* chooses.  Sixteen threads that take one record at a time off one front would else
    lose nine tries in ten.
    """

    transaction: Transaction
    tenant: str
    random: Callable[[], float]

    def change(self, asked: Asked, update: Document, *, skip_locked: bool) -> list[Document]:
        """The documents that *update* was made to, as they were before."""
        began = self.transaction.begin()
        if self.transaction.session is None:
            return self._one_by_one(asked, update)
        if not (began and skip_locked and asked.limit):
            return self._together(asked, found(self.transaction, self.tenant, asked), update)
        for reach in _REACH:
            try:
                return self._together(asked, self._front(asked, reach), update)
            except Transient:
                if reach == _REACH[-1]:
                    raise
                self.transaction.restart()
        raise AssertionError("the last try returns or raises")

    def _front(self, asked: Asked, reach: int) -> list[Document]:
        """As many documents as asked for, from the first so many times as many."""
        limit = asked.limit or 0
        documents = found(self.transaction, self.tenant, _with_limit(asked, limit * reach))
        start = int(self.random() * (len(documents) - limit + 1)) if len(documents) > limit else 0
        return documents[start : start + limit]

    def _together(self, asked: Asked, documents: Sequence[Document], update: Document) -> list[Document]:
        # The transaction sees one moment: what was found is still so, or the update meets a write conflict.
        for batch in batches([key(self.tenant, one["id"]) for one in documents]):
            result = self.transaction.do(asked.plan.schema, "update_many", {"_id": {"$in": batch}}, update)
            if result.matched_count != len(batch):
                raise Transient("a record went away")  # a host's transaction of weaker isolation
        return [*documents]

    def _one_by_one(self, asked: Asked, update: Document) -> list[Document]:
        """Without transactions: each document as it was found or not at all; looks again while others come first."""
        limit, changed = asked.limit, dict[str, Document]()
        lost = True
        while lost and (limit is None or len(changed) < limit):
            lost = False
            # The new values may match as well, so what was changed may be found again.
            again = asked if limit is None else _with_limit(asked, limit + len(changed))
            fresh = [one for one in found(self.transaction, self.tenant, again) if one["id"] not in changed]
            for one in fresh if limit is None else fresh[: limit - len(changed)]:
                as_found = {"_id": key(self.tenant, one["id"]), "version": one["version"]}
                if self.transaction.do(asked.plan.schema, "update_one", as_found, update).matched_count:
                    changed[one["id"]] = one
                else:
                    lost = True
        return [*changed.values()]


def _with_limit(asked: Asked, limit: int) -> Asked:
    values = [*asked.values]
    if asked.plan.limit_slot is not None:
        values[asked.plan.limit_slot] = limit
    return Asked(asked.plan, values)
