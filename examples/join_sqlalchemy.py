"""
A shop's order and the deal that it wins, in one transaction of the shop's: ``python examples/join_sqlalchemy.py``.

Any SQLAlchemy engine will do; without an argument the database is a SQLite file in a folder of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import salescrm
from salescrm import Crm, Id, Money


class Base(DeclarativeBase):
    """The shop's own tables."""


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    deal_id: Mapped[str]
    total: Mapped[int]


class CardDeclined(Exception):
    """What may go wrong in any shop."""


def place_order(session: Session, crm: Crm, deal_id: Id, *, pays: bool) -> None:
    """The order and the won deal, both or neither: *session*'s transaction decides."""
    work = crm.join(session, by="wang")
    deal = work.opportunities.win(deal_id, note="ordered in the shop")
    assert deal.amount is not None
    session.add(Order(deal_id=deal.id, total=deal.amount.minor))
    if not pays:
        raise CardDeclined


def main(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    crm = salescrm.connect(engine)
    crm.migrate()
    with crm.begin(by="wang") as work:
        acme = work.customers.create(name="Acme", owner_id="wang")
        deal = work.opportunities.create(
            name="200 seats", customer_id=acme.id, amount=Money.of(120_000, "CNY"), stage="negotiation"
        )

    for pays in (False, True):
        try:
            with Session(engine) as session, session.begin():
                place_order(session, crm, deal.id, pays=pays)
        except CardDeclined:
            print("declined: ", end="")
        with Session(engine) as session, crm.begin(by="wang") as work:
            orders = session.scalar(select(func.count()).select_from(Order))
            print(f"{orders} orders, the deal is {work.opportunities.get(deal.id).status}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shop = create_engine(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'shop.db'}")
        main(shop)
        shop.dispose()
