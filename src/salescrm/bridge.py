"""
Running plain functions under asyncio, and waiting inside them; knows nothing of stores, engines or drivers.

All of salescrm is plain ``def``.
Under asyncio a plain function runs in a greenlet of its own: where it needs something awaited, ``wait`` hands
that to the coroutine that started the function, and the function stands still until the result is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar, cast

from salescrm.errors import Misconfigured

__all__ = ["misplaced", "run_plain", "wait"]

P = ParamSpec("P")
T = TypeVar("T")

# SQLAlchemy's mark for bridges that work as its own does (published in its changelog for 2.0.31).
# With it, its async engines work inside ``run_plain`` and ``wait`` inside its ``run_sync``, importing neither.
MARK: Final = "__sqlalchemy_greenlet_provider__"


async def run_plain(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """
    What *fn* returns, run on this event loop; inside, it may ``wait``.

    Between two waits nothing else runs on the loop.
    *fn* sees and sets the caller's context variables, and its errors reach the caller as they are.
    Cancelling the caller raises ``CancelledError`` in *fn* where it waits; its clean-up may wait too.

    Raises:
        Misconfigured: greenlet is not installed.
    """
    greenlet = import_greenlet()
    caller = greenlet.getcurrent()
    plain = greenlet.greenlet(fn, parent=caller)
    plain.gr_context = caller.gr_context
    setattr(plain, MARK, True)

    passed = plain.switch(*args, **kwargs)
    while not plain.dead:  # alive, it passes out what it waits for; at last, its result
        try:
            value = await passed
        except BaseException as error:  # noqa: BLE001 - it is raised again where the function waits
            # In three parts, for alone it would lose its traceback.
            passed = plain.throw(type(error), error, error.__traceback__)
        else:
            passed = plain.switch(value)
    return cast(T, passed)


def wait(awaitable: Awaitable[T]) -> T:
    """
    What *awaitable* comes to; the plain function stands still meanwhile, the event loop does not.

    Only inside ``run_plain`` or SQLAlchemy's ``run_sync``, in the thread of the loop.

    Raises:
        Misconfigured: called elsewhere; a coroutine is closed, never started.
    """
    plain = import_greenlet().getcurrent()
    if not getattr(plain, MARK, False):
        if isinstance(awaitable, Coroutine):
            awaitable.close()  # or Python would add a warning that it was never awaited
        raise misplaced()
    return cast(T, plain.parent.switch(awaitable))


def misplaced() -> Misconfigured:
    """The error for an asynchronous store that was used outside ``run_plain``."""
    return Misconfigured(
        "an asynchronous store was used where nothing can be awaited",
        "run the function that uses it with `await acrm.run(function)`",
    )


def import_greenlet() -> Any:
    """The greenlet package, imported at the first use: a host without asyncio needs none."""
    try:
        import greenlet  # type: ignore[import-untyped]  # ships no types
    except ImportError as missing:
        raise Misconfigured("greenlet is not installed", "pip install greenlet") from missing
    return greenlet
