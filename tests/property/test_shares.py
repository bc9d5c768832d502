"""Fair shares: nobody is ever an item away from what is theirs, whoever comes, goes, or is full; exactly, in fractions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from itertools import product

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescrm.policy.assignments import Strategy
from salescrm.rules.assigning import Candidate, Draw, Item, Lane, Shares, choose, dispatch
from salescrm.values import Id

DAY = date(2026, 3, 2)
WEIGHTS = st.lists(st.one_of(st.integers(1, 12), st.integers(1, 1000)), min_size=1, max_size=9)
#: By step, who is away: a bit each.
ABSENCES = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2**9 - 1)), min_size=1, max_size=30)
BY_CAPACITY = Strategy(("capacity",))
ALMOST = Fraction(1, 10**6)


def ids(weights: Sequence[int]) -> list[str]:
    return [f"m{place}" for place in range(len(weights))]


def largest_balance_first(weights: Sequence[int], items: int) -> Fraction:
    """How far off the scheme that one would think of comes to be."""
    got, total, worst = [0] * len(weights), sum(weights), Fraction(0)
    for given_out in range(1, items + 1):
        parts = [Fraction(weight * given_out, total) for weight in weights]
        first = max(range(len(weights)), key=lambda place: parts[place] - got[place])
        got[first] += 1
        worst = max(worst, *(abs(part - had) for part, had in zip(parts, got, strict=True)))
    return worst


def test_nobody_is_off_by_what_tijdeman_allows_whatever_the_weights(
    examples: Callable[[int], settings],
) -> None:
    """After any number of items each has their part of them, give or take 1 - 1/(2n - 2); after a full round exactly."""

    @examples(300)
    @given(WEIGHTS)
    def holds(weights: list[int]) -> None:
        members, total = ids(weights), sum(weights)
        bound = 1 - Fraction(1, max(2 * len(weights) - 2, 1))
        draw, got = Draw(Lane()), [0] * len(weights)
        draw.enter(members, weights)
        for given_out in range(1, min(total, 400) + 1):
            got[draw.pick()[0]] += 1
            off = [
                abs(Fraction(weight * given_out, total) - had)
                for weight, had in zip(weights, got, strict=True)
            ]
            assert max(off) <= bound
        if total <= 400:
            assert weights == got
        lane = draw.lane()
        assert not any(one.settled for one in lane.accounts.values())
        assert got == [lane.got(member) for member in members]

    holds()


def test_largest_balance_first_would_not_hold_the_bound() -> None:
    """The control: what the rule above is for."""
    assert Fraction(23, 21) == largest_balance_first([1, 1, 1, 1, 1, 8, 8], 21)


def test_no_rule_could_hold_it_against_leave_without_writing_off() -> None:
    """However four items are given to eight equals, it can come to be that after the fifth somebody is off by more."""
    for first in product(range(8), repeat=4):
        got = [first.count(one) for one in range(8)]
        off_by_now = max(abs(had - Fraction(4, 8)) for had in got)
        # Those who got nothing go on leave, and one of the others gets the fifth.
        stay = [had for had in got if had]
        off_at_best = min(had + 1 - Fraction(4, 8) - Fraction(1, len(stay)) for had in stay)
        assert max(off_by_now, off_at_best) > 1


def test_nobody_is_off_by_one_item_whoever_comes_and_goes(examples: Callable[[int], settings]) -> None:
    """
    The bound, strictly, for everybody who is there, after every item; the absent pay nothing in and get nothing.

    What comes to each is recomputed here from who was there; where nothing had to be written off, that is all.
    """

    @examples(300)
    @given(WEIGHTS, ABSENCES)
    def holds(weights: list[int], absences: list[tuple[int, int]]) -> None:
        members = ids(weights)
        part, got = [Fraction(0)] * len(weights), [0] * len(weights)
        lane, throughout = Lane(), set(range(len(weights)))
        for items, away in absences:
            there = [place for place in range(len(weights)) if not away >> place & 1]
            if not there:
                continue
            throughout &= set(there)
            total = sum(weights[place] for place in there)
            draw = Draw(lane)
            draw.enter([members[place] for place in there], [weights[place] for place in there])
            for _ in range(items):
                before = lane
                got[there[draw.pick()[0]]] += 1
                for place in there:
                    part[place] += Fraction(weights[place], total)
                lane = draw.lane()
                balances = [lane.balance(member) for member in members]
                assert all(abs(balances[place]) < 1 for place in there)
                assert 0 == sum(balances)
                for place in set(range(len(weights))) - set(there):
                    was = before.balance(members[place])
                    assert (abs(balances[place]) <= abs(was) + ALMOST, was * balances[place] >= 0) == (
                        True,
                        True,
                    )
        assert got == [lane.got(member) for member in members]
        for place, member in enumerate(members):
            assert abs(lane.share(member) - lane.settled(member) - part[place]) < ALMOST
        if not any(one.settled for one in lane.accounts.values()):
            assert all(abs(part[place] - got[place]) < 1 for place in throughout)

    holds()


def test_nothing_is_lost_when_the_state_is_kept_as_json(examples: Callable[[int], settings]) -> None:
    """Written down and read back after every item, or never: the same people get the same."""

    @examples(100)
    @given(WEIGHTS, ABSENCES)
    def same(weights: list[int], absences: list[tuple[int, int]]) -> None:
        whole, kept, drawn = Draw(Lane()), Shares(), list[tuple[str, str]]()
        for items, away in absences:
            there = [(f"m{place}", weight) for place, weight in enumerate(weights) if not away >> place & 1]
            names, parts = [one for one, _ in there], [part for _, part in there]
            for _ in range(items if there else 0):
                whole.enter(names, parts)
                draw = Draw(kept.lane())
                draw.enter(names, parts)
                drawn.append((names[whole.pick()[0]], names[draw.pick()[0]]))
                kept = Shares.load(json.loads(json.dumps(Shares({"": draw.lane()}).dump())))
        assert [one for one, _ in drawn] == [other for _, other in drawn]
        assert Shares({"": whole.lane()}) == kept or not drawn

    same()


@st.composite
def teams(draw: st.DrawFn) -> tuple[Candidate, ...]:
    many = draw(st.integers(1, 6))
    return tuple(
        Candidate(
            id=Id(f"m{place}"),
            name=f"M{place}",
            weight=draw(st.integers(1, 30)),
            load=draw(st.integers(0, 20)),
            held=draw(st.integers(0, 3)),
            cap=draw(st.none() | st.integers(0, 12)),
            taken=draw(st.integers(0, 3)),
            capacity=draw(st.none() | st.integers(0, 12)),
            active=draw(st.integers(0, 9)) > 0,
            skills=draw(st.sets(st.sampled_from("xyz"))),
            territories=draw(st.sets(st.sampled_from(("浙江省", "杭州市", "江苏省/苏州市")))),
        )
        for place in range(many)
    )


ITEMS = st.lists(
    st.builds(
        lambda region, skills, work, previous: Item(
            id=Id(""), name="i", region=region, skills=skills, work=work, previous=previous
        ),
        st.sampled_from([(), ("浙江省", "杭州市"), ("浙江省", "宁波市"), ("江苏省", "苏州市")]),
        st.sets(st.sampled_from("xyz")),
        st.integers(0, 4),
        st.lists(st.sampled_from([f"m{place}" for place in range(6)]), max_size=2).map(tuple),
    ),
    max_size=25,
).map(lambda items: [attrs.evolve(one, id=Id(f"i{place}")) for place, one in enumerate(items)])
STRATEGIES = st.builds(
    lambda narrows, picks, strict: Strategy((*narrows, picks), strict=strict),
    st.permutations(("sticky", "territory", "skill")).flatmap(
        lambda steps: st.integers(0, 3).map(lambda many: tuple(steps[:many]))
    ),
    st.sampled_from(("round_robin", "capacity", "least_loaded")),
    st.booleans(),
)


def test_dispatch_gives_what_one_by_one_gives(examples: Callable[[int], settings]) -> None:
    """Many at once or one after another, with everybody's load and count carried on: the same, and no limit is passed."""

    @examples(200)
    @given(teams(), ITEMS, STRATEGIES, st.integers(0, 3))
    def same(team: tuple[Candidate, ...], items: list[Item], strategy: Strategy, seed: int) -> None:
        plan = dispatch(items, team, strategy, day=DAY, seed=seed)
        assert plan == dispatch(items, team, strategy, day=DAY, seed=seed)
        now, shares = {one.id: one for one in team}, Shares()
        for item, planned in zip(items, plan.assignments, strict=True):
            one, shares = choose(item, now.values(), strategy, shares, day=DAY, seed=seed)
            assert (one.member_id, one.picked, one.out) == (planned.member_id, planned.picked, planned.out)
            if one.member_id is not None:
                who = now[one.member_id]
                now[who.id] = attrs.evolve(
                    who, load=who.load + item.work, held=who.held + 1, taken=who.taken + 1
                )
        assert shares == plan.shares
        assert [one.load for one in now.values()] == [one.after for one in plan.loads]
        for member in now.values():
            got = len(plan.by_member().get(member.id, ()))
            assert not got or member.active
            assert not got or member.cap is None or member.held <= member.cap
            assert not got or member.capacity is None or member.taken <= member.capacity

    same()


@pytest.mark.parametrize("seed", range(5))
def test_ten_a_month_are_ten_in_thirty_days(seed: int) -> None:
    """With as many leads as there is room for, each has exactly what they have room for; no luck is left."""
    team = [Candidate(id=Id(f"m{size}"), name="M", weight=size) for size in (10, 20, 25, 95)]
    shares = Shares()
    for day in range(1, 31):
        leads = [Item(id=Id(f"{day}-{place}"), name="lead") for place in range(5)]
        shares = dispatch(leads, team, BY_CAPACITY, shares, day=date(2026, 6, day), seed=seed).shares

    assert {"m10": 10, "m20": 20, "m25": 25, "m95": 95} == {one.id: shares.lane().got(one.id) for one in team}
