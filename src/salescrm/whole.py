"""When a failure ends a Work: a use case that has begun to write, a store that fails in the middle of a transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from salescrm.errors import StoreError

if TYPE_CHECKING:
    from salescrm.unit import UnitOfWork

__all__ = ["asking", "whole"]

P = ParamSpec("P")
T = TypeVar("T")


class _OfUnit(Protocol):
    @property
    def unit(self) -> UnitOfWork: ...


S = TypeVar("S", bound=_OfUnit)


def asking(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """
    *method*, which reads, and whose Work ends if the store fails it once something was written.

    PostgreSQL has then given up the transaction: it would answer a commit by rolling back, and say nothing.
    """

    @wraps(method)
    def run(self: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(self, *arguments, **named)
        except StoreError:
            if self.unit.written:
                self.unit.fail()
            raise

    return run


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
