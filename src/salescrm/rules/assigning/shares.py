"""
Fair shares: who is next, so that nobody ever has an item more or less than is theirs; in whole numbers.

Whenever an item is drawn for, each of those who may get it is credited with their part of it, in proportion to their
weight, and whoever gets it is charged with one.  What remains is their *balance*: above zero they are owed, below they
owe.  The next item goes, of those for whom it is not too early, to the one whose balance would be the first to pass
what is allowed: Tijdeman's rule [1]_.  While the same members of the same weights are there, no balance ever passes
``1 - 1/(2n - 2)`` of an item, for n members, after any number of items; and when as many items have been given as the
weights add up to, each has exactly as many as their weight.  "The largest balance first", which one would think of,
does not keep that: among five of weight 1 and two of weight 8 somebody comes to be off by 23/21.

Who is away is neither credited nor charged: the balance waits as it was, to the billionth of an item.  With people
coming and going no rule whatever can keep all within one item of their parts: of eight equals four got the first four
items, the other four go on leave, and whoever gets the fifth has two, where 0.75 was their part.  What then passes one
item is written off, and the balances of others pay for it, first of those who are away; `Lane.settled` says what it
came to.  So after every item each balance of those who are there lies within one item, and all add up to nothing.

.. [1] R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980), 323-330.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from heapq import nlargest
from typing import Any, Final

import attrs

from salescrm.errors import InvalidValue

__all__ = ["Account", "Draw", "Lane", "Shares", "split"]

#: What a balance is kept in while its member is away, or when others come or go: billionths of an item.
UNIT: Final = 10**9
_MOST_WHOLE: Final = 2**53 - 1


@attrs.frozen
class Account:
    """
    How one member stands in a lane.

    Attributes:
        weight: Their weight when they were last drawn for; 0 for who was not there.
        balance: What they are owed, above zero, or owe; in billionths of an item, divided by the lane's total weight
            for who was there.
        got: How many items they got.
        settled: What was written off, in billionths of an item: above zero what they owed, below what they were owed.
    """

    weight: int = 0
    balance: int = 0
    got: int = 0
    settled: int = 0


@attrs.frozen
class Lane:
    """How everybody stands who ever was drawn for, by id, for items that the same members may get."""

    accounts: Mapping[str, Account] = attrs.field(factory=dict)

    @cached_property
    def total(self) -> int:
        """The weights of those who were there, added up."""
        return sum(one.weight for one in self.accounts.values())

    def balance(self, member_id: str) -> Fraction:
        """What *member_id* is owed, in items; below zero what they owe."""
        account = self.accounts.get(member_id, Account())
        return Fraction(account.balance, UNIT * (self.total if account.weight else 1))

    def share(self, member_id: str) -> Fraction:
        """What should have come to *member_id* so far, in items."""
        return self.got(member_id) + self.balance(member_id)

    def got(self, member_id: str) -> int:
        """What came to them."""
        return self.accounts.get(member_id, Account()).got

    def settled(self, member_id: str) -> Fraction:
        """What was written off for them, in items; see the module."""
        return Fraction(self.accounts.get(member_id, Account()).settled, UNIT)


@attrs.frozen
class Shares:
    """What fair shares are computed from: a value to be kept between draws, lane by lane; JSON by `dump` and `load`."""

    lanes: Mapping[str, Lane] = attrs.field(factory=dict)

    def lane(self, key: str = "") -> Lane:
        """The lane *key*; a new one where nothing was drawn yet."""
        return self.lanes.get(key, Lane())

    def dump(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "lanes": [
                {
                    "key": key,
                    "members": [
                        [id, *map(_plain, (one.weight, one.balance, one.got, one.settled))]
                        for id, one in lane.accounts.items()
                    ],
                }
                for key, lane in self.lanes.items()
            ]
        }

    @classmethod
    def load(cls, data: Any) -> Shares:
        """
        What `dump` gave *data* for.

        Raises:
            InvalidValue: It is something else, or balances that don't cancel out.
        """
        try:
            lanes = {
                str(lane["key"]): Lane({str(id): _account(numbers) for id, *numbers in lane["members"]})
                for lane in data["lanes"]
            }
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise _wrong(data) from problem
        for lane in lanes.values():
            total = max(lane.total, 1)
            units = sum(one.balance * (1 if one.weight else total) for one in lane.accounts.values())
            if units or any(
                one.weight and abs(one.balance) >= UNIT * total for one in lane.accounts.values()
            ):
                raise _wrong(data)
        return cls(lanes)


class Draw:
    """A lane at work: who is there is said by `enter`, and `pick` gives one item after another."""

    def __init__(self, lane: Lane) -> None:
        self._absent: dict[str, int] = {}
        self._got = {id: one.got for id, one in lane.accounts.items()}
        self._settled = {id: one.settled for id, one in lane.accounts.items()}
        self._ids: Sequence[str] = ()
        self._weights: list[int] = []
        self._total = 1
        #: In billionths of an item, divided by the total weight, so that each part is a whole number.
        self._balances: list[int] = []
        present = [(id, one) for id, one in lane.accounts.items() if one.weight]
        if present:
            self._ids = [id for id, _ in present]
            self._weights = [one.weight for _, one in present]
            self._total = sum(self._weights)
            self._balances = [one.balance for _, one in present]
        self._absent = {id: one.balance for id, one in lane.accounts.items() if not one.weight}

    def enter(self, ids: Sequence[str], weights: Sequence[int]) -> None:
        """From here on it is between *ids*, of these *weights*; of two who are level the first one is first."""
        now, there = dict(zip(ids, weights, strict=True)), dict(zip(self._ids, self._weights, strict=True))
        if now == there:
            if list(ids) != list(self._ids):
                standing = dict(zip(self._ids, self._balances, strict=True))
                self._ids, self._weights = list(ids), list(weights)
                self._balances = [standing[id] for id in ids]
            return
        self._absent.update(zip(self._ids, self._in_units(), strict=True))
        self._ids, self._weights, self._total = list(ids), list(weights), sum(weights)
        self._balances = [self._absent.pop(id, 0) * self._total for id in ids]

    def standing(self, most: int | None = None) -> Iterator[tuple[int, Fraction]]:
        """The place of each of those who are there, and what they are owed, in items: who is owed the most comes first."""
        one, places = UNIT * self._total, range(len(self._ids))
        first = nlargest(len(places) if most is None else most, places, key=self._balances.__getitem__)
        return ((place, Fraction(self._balances[place], one)) for place in first)

    def got(self, member_id: str) -> int:
        """What came to *member_id*."""
        return self._got.get(member_id, 0)

    def pick(self) -> tuple[int, Fraction]:
        """The place of who gets the next item, and what should have come to them with it."""
        one = UNIT * self._total
        self._balances = [
            balance + UNIT * weight for balance, weight in zip(self._balances, self._weights, strict=True)
        ]
        place = self._first(one)
        chosen, owed = self._ids[place], self._balances[place]
        share = self._got.get(chosen, 0) + Fraction(owed, one)
        self._balances[place] = owed - one
        self._got[chosen] = self._got.get(chosen, 0) + 1
        if max(self._balances) >= one or self._balances[place] <= -one:
            self._settle()
        return place, share

    def lane(self) -> Lane:
        """How everybody stands now."""
        accounts = {
            id: Account(weight, balance, self._got.get(id, 0), self._settled.get(id, 0))
            for id, weight, balance in zip(self._ids, self._weights, self._balances, strict=True)
        }
        for id, units in self._absent.items():
            accounts[id] = Account(0, units, self._got.get(id, 0), self._settled.get(id, 0))
        return Lane(accounts)

    def _first(self, one: int) -> int:
        """The place of who is next: of those whom it is not too early for, the one who has to be served soonest."""
        places, balances = range(len(self._ids)), self._balances
        latest = max(places, key=balances.__getitem__)
        # Beyond one item there is no more room: first come the largest.  And alone one gets everything.
        if balances[latest] >= one or len(places) == 1:
            return latest
        times = 2 * len(places) - 2
        bound, found, room, weight = one * (times - 1), -1, 0, 1
        for place, balance in enumerate(balances):
            balance *= times
            if balance >= one:
                left, mine = bound - balance, self._weights[place]
                if found < 0 or left * weight < room * mine:
                    found, room, weight = place, left, mine
        # It may be too early for all who are there, when those who are owed are away.
        return found if found >= 0 else latest

    def _in_units(self) -> list[int]:
        """The balances of those who are there in whole billionths, adding up to the same."""
        floors = [balance // self._total for balance in self._balances]
        left = sum(self._balances) // self._total - sum(floors)
        rests = sorted(range(len(floors)), key=lambda place: -(self._balances[place] % self._total))
        for place in rests[:left]:
            floors[place] += 1
        return floors

    def _settle(self) -> None:
        """Writes off what passes one item; what others owe, or are owed, yields to it: first of those who are away."""
        before = self._in_units()
        units = [min(max(balance, 1 - UNIT), UNIT - 1) for balance in before]
        cut = sum(was - now for was, now in zip(before, units, strict=True) if was > now)
        raised = sum(now - was for was, now in zip(before, units, strict=True) if now > was)
        present = dict(zip(self._ids, units, strict=True))
        absent = dict(self._absent)
        for amount, sign in ((cut, -1), (raised, 1)):
            left = _take(absent, amount, sign)
            _take(present, left, sign)
        was = {**self._absent, **dict(zip(self._ids, before, strict=True))}
        for id, now in (*absent.items(), *present.items()):
            if now != was[id]:
                self._settled[id] = self._settled.get(id, 0) + now - was[id]
        self._absent = absent
        self._balances = [present[id] * self._total for id in self._ids]


def split(amount: int, parts: Sequence[int]) -> list[int]:
    """*amount* split in proportion to *parts*, in whole numbers that add up to it: largest remainders get what is left."""
    total = sum(parts)
    if not total:
        return [0] * len(parts)
    shares = [amount * part // total for part in parts]
    rests = sorted(range(len(parts)), key=lambda place: -(amount * parts[place] % total))
    for place in rests[: amount - sum(shares)]:
        shares[place] += 1
    return shares


def _take(balances: dict[str, int], amount: int, sign: int) -> int:
    """Brings balances of that *sign* closer to zero, by *amount* together where there is so much; gives what is left."""
    ids = [id for id, balance in balances.items() if balance * sign > 0]
    sizes = [abs(balances[id]) for id in ids]
    part = min(amount, sum(sizes))
    for id, taken in zip(ids, split(part, sizes), strict=True):
        balances[id] -= sign * taken
    return amount - part


def _plain(number: int) -> int | str:
    """*number* as JSON keeps it on every engine: what is beyond that, by large weights, as text."""
    return number if abs(number) <= _MOST_WHOLE else str(number)


def _account(numbers: Iterable[Any]) -> Account:
    weight, balance, got, settled = (int(one) if type(one) is str else one for one in numbers)
    if any(type(one) is not int for one in (weight, balance, got, settled)) or weight < 0 or got < 0:
        raise ValueError("four whole numbers are wanted")
    return Account(weight, balance, got, settled)


def _wrong(data: object) -> InvalidValue:
    return InvalidValue("Shares", "data", data, "what Shares.dump() gave")
