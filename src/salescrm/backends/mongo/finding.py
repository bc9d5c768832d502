"""Asking MongoDB what a checked question asks for: cursors and their documents; records are made of them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salescrm.backends.mongo.compile import reading
from salescrm.backends.mongo.transaction import Transaction
from salescrm.plans import Asked, Source

__all__ = ["cursor_on", "found"]


def found(
    transaction: Transaction, tenant: str, asked: Asked, columns: Sequence[Source] | None = None
) -> list[dict[str, Any]]:
    """The documents asked for, in their order: whole, or with *columns* as fields ``c0``, ``c1`` …"""
    cursor = cursor_on(transaction, tenant, asked, columns, session=transaction.session)
    return [] if cursor is None else transaction.all(asked.plan.schema, cursor)


def cursor_on(
    transaction: Transaction,
    tenant: str,
    asked: Asked,
    columns: Sequence[Source] | None = None,
    *,
    session: Any,
    size: int | None = None,
) -> Any | None:
    """The driver's cursor on the documents asked for, in batches of *size*; None for a limit of 0."""
    plan, most = asked.plan, asked.limit
    if most == 0:
        return None  # to MongoDB 0 is no limit
    how = reading(
        tenant,
        plan.where,
        asked.values,
        order=plan.order,
        most=most,
        columns=columns,
        collection=lambda hop: transaction.driver.name(hop.schema.collection),
    )
    # One more than asked for: the server then knows in its first answer that there is no second.
    batch = size or (1000 if most is None else most + 1)
    if how.pipeline is None:
        return transaction.do(
            plan.schema,
            "find",
            how.filter,
            how.projection,
            sort=how.sort or None,
            limit=most or 0,
            batch_size=batch,
            session=session,
        )
    return transaction.do(
        plan.schema, "aggregate", how.pipeline, batchSize=batch, allowDiskUse=True, session=session
    )
