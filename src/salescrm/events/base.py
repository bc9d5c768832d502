"""What every event is: a fact about one record; an edit tells which of its fields changed."""

from __future__ import annotations

from typing import ClassVar

import attrs

from salescrm.values import Id

__all__ = ["Edited", "Event"]


@attrs.frozen(kw_only=True)
class Event:
    """A fact about the record *record_id* of the collection *entity*; a host's own events subclass it."""

    entity: ClassVar[str]
    record_id: Id

    @property
    def name(self) -> str:
        """What it is called wherever events are data: the name of its class."""
        return type(self).__name__


@attrs.frozen(kw_only=True)
class Edited(Event):
    """Some fields of the record have new values; which values is in the change log."""

    fields: tuple[str, ...]
