"""Under asyncio the same code: AsyncCrm over aiosqlite, psycopg's async side, AsyncMongoClient, and memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from salescrm import Crm, Customer, Duplicate, F, Id, Money, Opportunity, Work, aio
from salescrm.aio import AsyncCrm
from salescrm.testing import Clock

Test = Callable[[AsyncCrm], Awaitable[None]]


@pytest.fixture
def play(engine_url: str, clock: Clock) -> Callable[[Test], None]:
    """``play(test)`` runs an async function of a migrated AsyncCrm on the engine under test."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncCrm]:
        async with aio.connect(engine_url, clock=clock) as acrm:
            await acrm.migrate()
            yield acrm

    def play(test: Test) -> None:
        async def main() -> None:
            async with opened() as acrm:
                await test(acrm)

        asyncio.run(main())

    return play


def create(work: Work, name: str) -> Customer:
    return work.customers.create(name=name, owner_id=work.member)


def test_a_plain_function_runs_in_a_transaction(play: Callable[[Test], None]) -> None:
    async def test(acrm: AsyncCrm) -> None:
        made = await acrm.run(create, "云帆科技", by="li")
        deal = await acrm.run(
            lambda work: work.opportunities.create(
                name="deal", customer_id=made.id, amount=Money.of("5", "CNY")
            ),
            by="li",
        )
        won = await acrm.run(win, deal.id, by="li")

        assert "won" == won.status
        found = await acrm.run(lambda work: work.customers.find(F.owner_id == "li"), by="li")
        assert [Money.of("5", "CNY")] == [one.won_amount for one in found]

    def win(work: Work, id: Id) -> Opportunity:
        deal = work.opportunities.get(id)
        for stage in work.policy.pipeline().path[1:]:
            deal = work.opportunities.move(deal, stage.key)
        return deal

    play(test)


def test_an_error_rolls_back_and_is_our_own(play: Callable[[Test], None]) -> None:
    async def test(acrm: AsyncCrm) -> None:
        def bad(work: Work) -> None:
            work.customers.create(name="甲", number="X1")
            work.customers.create(name="乙", number="X1")

        with pytest.raises(Duplicate):
            await acrm.run(bad, by="li")
        assert 0 == await acrm.run(lambda work: work.customers.count(), by="li")

    play(test)


def test_many_tasks_at_once_lose_nothing_and_number_without_doubles(play: Callable[[Test], None]) -> None:
    async def test(acrm: AsyncCrm) -> None:
        made = await asyncio.gather(*(acrm.run(create, f"客户{n}", by="li", attempts=60) for n in range(12)))
        assert 12 == len({one.number for one in made})
        assert 12 == await acrm.run(lambda work: work.customers.count(), by="li")

    play(test)


def test_streaming_closes_what_it_opened(play: Callable[[Test], None]) -> None:
    async def test(acrm: AsyncCrm) -> None:
        def fill(work: Work) -> int:
            return work.customers.create_many(Customer(name=f"客户{n}") for n in range(60))

        await acrm.run(fill, by="li")
        names = await acrm.run(
            lambda work: sorted(one.name for one in work.customers.stream(size=7)), by="li"
        )
        assert sorted(f"客户{n}" for n in range(60)) == names
        assert 61 == len({(await acrm.run(create, "甲", by="li")).name, *names})

    play(test)


def test_cancelling_takes_everything_back(play: Callable[[Test], None]) -> None:
    async def test(acrm: AsyncCrm) -> None:
        from salescrm.bridge import wait

        began = asyncio.Event()

        def slow(work: Work) -> None:
            work.customers.create(name="甲")
            began.set()
            wait(asyncio.sleep(30))

        task = asyncio.create_task(acrm.run(slow, by="li"))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 0 == await acrm.run(lambda work: work.customers.count(), by="li")

    play(test)


def test_types_flow_through_run(crm: Crm) -> None:
    """What mypy sees: the function's arguments are checked and its result is known."""

    async def typed(acrm: AsyncCrm) -> str:
        customer = await acrm.run(create, "甲", by="li")
        return customer.number

    assert callable(typed)
    assert "C20260315001" == crm.run(create, "甲", by="li").number


def test_a_coroutine_function_is_refused_and_nothing_is_kept(play: Callable[[Test], None]) -> None:
    """Its body would only begin when the transaction is over."""

    async def test(acrm: AsyncCrm) -> None:
        async def late(work: Work) -> Customer:
            return create(work, "too late")

        def early(work: Work) -> object:
            create(work, "early")
            return late(work)

        for function in (late, early):
            with pytest.raises(TypeError, match="plain def"):
                await acrm.run(function, by="li")
        assert 0 == await acrm.run(lambda work: work.customers.count(), by="li")

    play(test)
