"""Running a function of a unit of work whole, and again whole where somebody else was first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from salescrm.errors import InvalidValue, StaleWrite, Transient
from salescrm.receipts import Raced, once
from salescrm.unit import Kit, UnitOfWork

__all__ = ["repeat"]

T = TypeVar("T")
U = TypeVar("U", bound=UnitOfWork)


def repeat(
    kit: Kit,
    begin: Callable[[], U],
    function: Callable[[U], T],
    *,
    key: str | None = None,
    attempts: int = 10,
) -> T:
    """
    What *function* returns in a unit of work that *begin* opens and that was committed.

    Repeated on StaleWrite and Transient, up to *attempts* times, with a growing random pause.  A commit whose outcome is
    unknown is repeated only under an idempotency *key*, for it may have happened; nothing is once it has.

    Raises:
        InvalidValue: *attempts* is no whole number from 1.
    """
    if type(attempts) is not int or attempts < 1:
        raise InvalidValue("run", "attempts", attempts, "a whole number from 1")
    for attempt in range(1, attempts + 1):
        work = begin()
        try:
            result = function(work) if key is None else once(work, key, function)
        except (StaleWrite, Transient):
            work.finish(commit=False)
            if attempt == attempts:
                raise
        except Raced:
            work.finish(commit=False)
        except BaseException:
            work.finish(commit=False)
            raise
        else:
            try:
                work.finish(commit=True)
            except (StaleWrite, Transient) as problem:
                unknown = isinstance(problem, Transient) and problem.outcome_unknown
                if work.committed or attempt == attempts or (unknown and key is None):
                    raise
            else:
                return result
        kit.sleep(kit.random() * min(0.002 * 2**attempt, 0.5))
    raise Transient(f"the idempotency key {key!r} is in use by somebody at this moment")
