"""Whole use cases: one that fails after it has begun to write ends its Work, for nobody may commit half of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from salescrm.unit import UnitOfWork

__all__ = ["whole"]

P = ParamSpec("P")
T = TypeVar("T")


class _OfUnit(Protocol):
    @property
    def unit(self) -> UnitOfWork: ...


S = TypeVar("S", bound=_OfUnit)


def whole(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """*method*, whose Work ends if it raises once it has written something; before that nothing has happened."""

    @wraps(method)
    def run(self: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        unit = self.unit
        written = unit.written
        try:
            return method(self, *arguments, **named)
        except BaseException:
            if unit.written != written:
                unit.fail()
            raise

    return run
