"""
A shop's order and the deal that it wins, in one transaction of a MongoDB session.

``python examples/join_mongodb.py mongodb://localhost/shop?replicaSet=rs0``: MongoDB has transactions on a replica set only.
"""

from __future__ import annotations

import sys
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession

import salescrm
from salescrm import Crm, Id, Money


class CardDeclined(Exception):
    """What may go wrong in any shop."""


def place_order(session: ClientSession, crm: Crm, deal_id: Id, *, pays: bool) -> None:
    """The order and the won deal, both or neither: *session*'s transaction decides."""
    deal = crm.join(session, by="wang").opportunities.win(deal_id, note="ordered in the shop")
    assert deal.amount is not None
    shop = session.client.get_default_database("shop")
    shop.orders.insert_one({"deal": deal.id, "total": deal.amount.minor}, session=session)
    if not pays:
        raise CardDeclined


def main(url: str) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url, tz_aware=True)
    shop = client.get_default_database("shop")
    crm = salescrm.connect(client, database=shop.name)
    crm.migrate()
    with crm.begin(by="wang") as work:
        acme = work.customers.create(name="Acme", owner_id="wang")
        deal = work.opportunities.create(
            name="200 seats", customer_id=acme.id, amount=Money.of(120_000, "CNY"), stage="negotiation"
        )

    for pays in (False, True):
        try:
            with client.start_session() as session, session.start_transaction():
                place_order(session, crm, deal.id, pays=pays)
        except CardDeclined:
            print("declined: ", end="")
        with crm.begin(by="wang") as work:
            orders = shop.orders.count_documents({})
            print(f"{orders} orders, the deal is {work.opportunities.get(deal.id).status}")
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
