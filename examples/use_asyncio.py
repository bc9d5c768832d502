"""
The same functions of a Work under asyncio: ``python examples/use_asyncio.py``.

Nothing here is written twice: `open_deal` and `pipeline_value` are plain functions that a thread could run as well.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from salescrm import F, Id, Money, Tally, Work, aio, total


def open_deal(work: Work, customer: str, amount: Money) -> Id:
    """A customer and its first deal."""
    found = work.customers.find(F.name == customer, limit=1)
    known = found[0] if found else work.customers.create(name=customer, owner_id=work.member)
    return work.opportunities.create(name=f"{customer}: first order", customer_id=known.id, amount=amount).id


def pipeline_value(work: Work) -> Money | None:
    """What all open deals come to."""
    [[amount]] = work.opportunities.tally(Tally(measures=[total(F.amount)], where=F.status == "open"))
    return amount  # type: ignore[no-any-return]  # a row of a tally holds whatever was asked for


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with aio.connect(engine) as crm:
        await crm.migrate()
        names = ("Acme", "Bolt", "Acme")
        for number, name in enumerate(names, start=1):
            await crm.run(open_deal, name, Money.of(number * 1_000, "CNY"), by="li")
        print("open:", await crm.run(pipeline_value, by="li"))

        # Inside a transaction that is ours to end: here it ends badly, and the deal is gone with it.
        async with AsyncSession(engine) as session:
            await session.begin()
            await crm.join(session, open_deal, "Zeta", Money.of(9_000, "CNY"), by="li")
            print("inside:", await crm.join(session, pipeline_value, by="li"))
            await session.rollback()
        print("afterwards:", await crm.run(pipeline_value, by="li"))
    await engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(
            main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite+aiosqlite:///{Path(folder) / 'crm.db'}")
        )
