"""Plain functions under asyncio: results, errors, cancellation and context pass both ways."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import traceback
from contextvars import ContextVar
from pathlib import Path

import pytest

from salescrm.bridge import run_plain, wait
from salescrm.errors import Misconfigured

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


async def later(value: str) -> str:
    """*value*, after giving way to the loop."""
    await asyncio.sleep(0)
    return value


async def failing() -> None:
    """A driver's error, after giving way to the loop."""
    await asyncio.sleep(0)
    raise LookupError("from the driver")


def greet(greeting: str, *, name: str) -> str:
    """A plain function that waits twice."""
    return f"{wait(later(greeting))}, {wait(later(name))}"


def test_arguments_go_in_and_the_result_comes_out() -> None:
    """Positional and keyword arguments arrive, and so does what the function returns."""
    assert "hello, Li" == asyncio.run(run_plain(greet, "hello", name="Li"))


def test_a_function_that_never_waits_just_runs() -> None:
    """No await is required, and an awaitable returned as a result is not awaited."""

    async def main() -> str:
        task = asyncio.ensure_future(later("mine"))
        returned = await run_plain(lambda: task)
        assert returned is task
        return await returned

    assert "mine" == asyncio.run(main())


def test_any_awaitable_can_be_waited_for() -> None:
    """Futures and tasks as well as coroutines."""

    def plain() -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        loop.call_soon(future.set_result, "future")
        return wait(future), wait(asyncio.ensure_future(later("task"))), wait(later("coroutine"))

    assert ("future", "task", "coroutine") == asyncio.run(run_plain(plain))


def test_the_loop_goes_on_while_a_function_waits() -> None:
    """Two plain functions that need each other's turn both finish."""

    async def main() -> list[str]:
        ping, pong, seen = asyncio.Event(), asyncio.Event(), list[str]()

        def first() -> None:
            seen.append("ping")
            ping.set()
            wait(pong.wait())
            seen.append("done")

        def second() -> None:
            wait(ping.wait())
            seen.append("pong")
            pong.set()

        await asyncio.wait_for(asyncio.gather(run_plain(first), run_plain(second)), 5)
        return seen

    assert ["ping", "pong", "done"] == asyncio.run(main())


def test_an_awaited_error_can_be_caught_by_the_plain_function() -> None:
    """What the driver raises is raised where the function waits, and waiting goes on after it."""

    def plain() -> str:
        try:
            wait(failing())
        except LookupError as error:
            return wait(later(f"caught {error}"))
        return "nothing raised"

    assert "caught from the driver" == asyncio.run(run_plain(plain))


def test_an_error_reaches_the_caller_with_the_whole_way_it_came() -> None:
    """The traceback names the caller, the plain function and the coroutine that failed."""

    def plain() -> None:
        wait(failing())

    with pytest.raises(LookupError) as raised:
        asyncio.run(run_plain(plain))

    names = dict.fromkeys(frame.name for frame in traceback.extract_tb(raised.value.__traceback__))
    way = [name for name in names if name in {"run_plain", "plain", "wait", "failing"}]
    assert ["run_plain", "plain", "wait", "failing"] == way


def test_cancelling_the_caller_rolls_back_where_it_waits() -> None:
    """The plain function gets CancelledError, and its own clean-up may wait before it goes on."""

    async def main() -> list[str]:
        done, waiting = list[str](), asyncio.Event()

        def plain() -> None:
            try:
                done.append(wait(later("begin")))
                waiting.set()
                wait(asyncio.Event().wait())
                done.append("never")
            except asyncio.CancelledError:
                done.append(wait(later("rollback")))
                raise
            finally:
                done.append(wait(later("close")))

        task = asyncio.create_task(run_plain(plain))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return done

    assert ["begin", "rollback", "close"] == asyncio.run(main())


def test_a_second_cancellation_cuts_the_clean_up_short() -> None:
    """As in any coroutine: whoever cleans up must expect it, and outer clean-ups still run."""

    async def main() -> list[str]:
        done, waiting = list[str](), asyncio.Event()

        def plain() -> None:
            try:
                try:
                    wait(asyncio.Event().wait())
                finally:
                    done.append("rolling back")
                    waiting.set()
                    wait(asyncio.Event().wait())
            except asyncio.CancelledError:
                done.append(wait(later("connection thrown away")))
                raise

        task = asyncio.create_task(run_plain(plain))
        await asyncio.sleep(0)
        task.cancel()
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return done

    assert ["rolling back", "connection thrown away"] == asyncio.run(main())


def test_timeouts_work_around_and_inside() -> None:
    """asyncio.timeout around a plain function, asyncio.wait_for inside one."""

    def patient() -> str:
        try:
            wait(asyncio.wait_for(asyncio.Event().wait(), 0.01))
        except TimeoutError:
            return "gave up inside"
        return "no timeout"

    async def main() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_plain(lambda: wait(asyncio.Event().wait()))
        return await run_plain(patient)

    assert "gave up inside" == asyncio.run(main())


def test_closing_the_coroutine_unwinds_the_function() -> None:
    """A caller that is thrown away, not cancelled, leaves no function hanging."""
    done: list[str] = []

    def plain() -> None:
        try:
            wait(later("never"))
        finally:
            done.append("unwound")

    running = run_plain(plain)
    running.send(None)
    running.close()

    assert ["unwound"] == done


def test_context_variables_are_the_callers() -> None:
    """Set before, seen inside and in what is awaited; set inside, seen after; other tasks keep theirs."""

    async def seen() -> str:
        await asyncio.sleep(0)
        return REQUEST.get()

    async def main(name: str) -> tuple[str, ...]:
        REQUEST.set(name)

        def plain() -> tuple[str, ...]:
            before = REQUEST.get(), wait(seen())
            REQUEST.set(f"{name} changed")
            return *before, wait(seen()), REQUEST.get()

        return *(await run_plain(plain)), REQUEST.get()

    async def both() -> list[tuple[str, ...]]:
        return list(await asyncio.gather(main("a"), main("b")))

    changed = [(name, name, f"{name} changed", f"{name} changed", f"{name} changed") for name in "ab"]
    assert changed == asyncio.run(both())


def test_plain_functions_nest() -> None:
    """A plain function may wait for a coroutine that runs another; errors cross every level."""

    def inner(depth: int) -> str:
        if depth:
            return wait(run_plain(inner, depth - 1))
        wait(failing())
        return "nothing raised"

    def outer() -> str:
        try:
            return inner(3)
        except LookupError:
            return wait(later("caught above"))

    assert "caught above" == asyncio.run(run_plain(outer))


def test_thousands_of_waits_leave_nothing_behind() -> None:
    """No greenlet outlives its function."""
    greenlet = pytest.importorskip("greenlet").greenlet

    async def main() -> int:
        await asyncio.gather(*(run_plain(greet, "hello", name="Li") for _ in range(500)))
        gc.collect()
        return sum(
            isinstance(one, greenlet) and not one.dead and one.parent is not None for one in gc.get_objects()
        )

    assert 0 == asyncio.run(main())


@pytest.mark.filterwarnings("error")
def test_waiting_outside_is_refused_and_the_coroutine_closed() -> None:
    """On a bare call, in a coroutine and in another thread; without a warning about unawaited coroutines."""

    async def in_a_coroutine() -> None:
        wait(later("never"))

    async def in_a_thread() -> None:
        await asyncio.to_thread(wait, later("never"))

    for attempt in (
        lambda: wait(later("never")),
        lambda: asyncio.run(in_a_coroutine()),
        lambda: asyncio.run(in_a_thread()),
    ):
        with pytest.raises(Misconfigured, match=r"await acrm\.run"):
            attempt()
    gc.collect()


@pytest.mark.filterwarnings("error")
def test_a_missing_greenlet_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "greenlet", None)

    with pytest.raises(Misconfigured, match="pip install greenlet"):
        asyncio.run(run_plain(greet, "hello", name="Li"))


def test_importing_the_bridge_loads_no_greenlet() -> None:
    """Hosts without asyncio pay nothing."""
    check = "import sys, salescrm.bridge; sys.exit('greenlet' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", check], check=False).returncode


def test_sqlalchemys_async_engines_work_in_a_plain_function(tmp_path: Path) -> None:
    """Through the mark that SQLAlchemy publishes: its engine, the driver's cursor, a joined AsyncSession."""
    pytest.importorskip("aiosqlite")
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def main() -> tuple[list[tuple[int, ...]], int | None, str]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/bridge.db")

        def create() -> list[tuple[int, ...]]:
            with engine.sync_engine.connect() as connection:
                driver = connection.connection.dbapi_connection
                assert driver is not None
                cursor = driver.cursor()
                cursor.execute("CREATE TABLE t (n INTEGER)")
                cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
                cursor.execute("COMMIT")
                cursor.execute("SELECT n FROM t ORDER BY n")
                return list(cursor.fetchall())

        created = await run_plain(create)
        async with AsyncSession(engine) as session:
            await session.execute(text("INSERT INTO t VALUES (3)"))
            await run_plain(session.sync_session.execute, text("INSERT INTO t VALUES (4)"))
            await session.rollback()
            left = await session.scalar(text("SELECT count(*) FROM t"))
            waited = await session.run_sync(lambda _: wait(later("ours inside theirs")))
        await engine.dispose()
        return created, left, waited

    assert ([(1,), (2,)], 2, "ours inside theirs") == asyncio.run(main())
