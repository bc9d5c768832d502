"""A clock that stands still until a test sets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from salescrm.values import Moment, moment

__all__ = ["START", "Clock"]

#: When a clock starts that was told nothing else: a Sunday, 18:00 in Shanghai.
START: Final = datetime(2026, 3, 15, 10, tzinfo=UTC)


class Clock:
    """
    Gives the same moment until it is set: ``clock()``; hand it to `connect` as its clock.

    Raises:
        InvalidValue: it is set to a naive moment, or to one outside the years 1000 to 9998.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = moment(start, entity="Clock", field="start")

    def __call__(self) -> Moment:
        """The moment it stands at, in UTC, whole milliseconds."""
        return self._now

    def __repr__(self) -> str:
        return f"Clock({self._now.isoformat()})"

    def set(self, now: datetime) -> Moment:
        """Puts it to *now*, later or earlier, and gives that moment as it is kept."""
        self._now = moment(now, entity="Clock", field="now")
        return self._now

    def tick(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, milliseconds: float = 0
    ) -> Moment:
        """Moves it on, or back, and gives the moment it then stands at."""
        step = timedelta(days=days, hours=hours, minutes=minutes, milliseconds=milliseconds)
        return self.set(self._now + step)
