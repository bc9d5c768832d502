"""
Ids that sort by when they were made; what they identify is elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Final, NewType

from salescrm.errors import InvalidValue

__all__ = ["Id", "IdMaker", "uuid7"]

#: A record's identity: text, as a rule a UUIDv7 in canonical form; a member's is whatever the host calls them.
Id = NewType("Id", str)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(now: datetime, random: Callable[[int], bytes] = os.urandom) -> Id:
    """
    A fresh time-ordered id: UUID version 7 (RFC 9562, 5.7), *now*'s millisecond and 74 random bits.

    Ids of one millisecond come in no order; `IdMaker` orders those too.

    Raises:
        InvalidValue: *now* is naive or before 1970.
    """
    time, noise = f"{_milliseconds(now):012x}", random(10)
    text = noise.hex()
    # The variant, binary 10, leaves two bits of its hex digit to chance.
    return Id(f"{time[:8]}-{time[8:]}-7{text[:3]}-{'89ab'[noise[9] & 3]}{text[3:6]}-{text[6:18]}")


class IdMaker:
    """
    Makes UUIDv7 ids that only ever ascend, even within a millisecond or when *now* steps back.

    One may serve many threads, and a forked child makes ids of its own.
    RFC 9562, 6.2 method 1: 26 bits count within a millisecond (12 in rand_a, 14 ahead in rand_b), 48 stay random.
    """

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._lock = Lock()
        self._now: datetime | None = None
        self._millisecond = -1
        self._count = 0
        self._head = ""

    def __call__(self, now: datetime) -> Id:
        """The next id, at *now* or just behind the last one; `InvalidValue` if *now* is naive or before 1970."""
        # Asked for each id and never kept: two children of one fork would hand out the same kept bytes.
        noise = self._random(6).hex()
        with self._lock:
            # A bulk insert brings one and the same *now*: not looking at it again saves a third of the time.
            if now is not self._now:
                self._meet(now)
            count = self._count + 1
            if count > 0x3FF_FFFF:
                self._start(self._millisecond + 1)
                count = self._count
            self._count = count
            return Id(f"{self._head}{count >> 14:03x}-{count & 0x3FFF | 0x8000:04x}-{noise}")

    def _meet(self, now: datetime) -> None:
        millisecond = _milliseconds(now)
        self._now = now
        if millisecond > self._millisecond:
            self._start(millisecond)

    def _start(self, millisecond: int) -> None:
        self._millisecond = millisecond
        # Starts in the lower half: 33 million more fit before the time has to run ahead.
        self._count = int.from_bytes(self._random(4)) >> 7
        text = f"{millisecond:012x}"
        self._head = f"{text[:8]}-{text[8:]}-7"


def _milliseconds(now: datetime) -> int:
    """Whole milliseconds since 1970, exactly: by ints, since floats miss some."""
    try:
        since = now - _EPOCH
    except TypeError:
        raise InvalidValue("Id", "now", now, "an aware datetime") from None
    if since.days < 0:
        raise InvalidValue("Id", "now", now, "a moment since 1970")
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
