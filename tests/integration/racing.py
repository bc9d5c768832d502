"""A child process that competes: ``python racing.py URL WORKER`` claims and numbers until nothing is left, and says what it got."""

from __future__ import annotations

import json
import sys

import salescrm
from salescrm import Customer, F, Work


def claim(work: Work) -> list[str]:
    """Takes up to three customers that nobody owns."""
    changed = work.repository(Customer).change(
        F.owner_id.is_null(), {"owner_id": work.member}, order=[F.number], limit=3
    )
    return [customer.id for customer in changed]


def number(work: Work) -> str:
    """A new customer's number."""
    return work.customers.create(name="neu", owner_id=work.member).number


def main(url: str, worker: str) -> None:
    claimed: list[str] = []
    numbers: list[str] = []
    with salescrm.connect(url) as crm:
        print("ready", flush=True)
        sys.stdin.readline()
        while got := crm.run(claim, by=worker, attempts=200):
            claimed += got
            numbers.append(crm.run(number, by=worker, attempts=200))
    print(json.dumps({"claimed": claimed, "numbers": numbers}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
