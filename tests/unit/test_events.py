"""What events promise: each survives the outbox, and says which collection it is about."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import attrs
import pytest

from salescrm import events
from salescrm.catalog import schemas
from salescrm.entities.opportunities import MoveKind
from salescrm.errors import InvalidValue
from salescrm.events import Edited, Event, from_plain, to_plain
from salescrm.values import Id, Money

NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
SAMPLES: dict[object, object] = {
    Id: Id("x1"),
    str: "text",
    int: 3,
    date: NOW.date(),
    datetime: NOW,
    datetime | None: NOW,
    MoveKind: "advanced",
    tuple[str, ...]: ("name", "level"),
    tuple[Id, ...]: (Id("x1"), Id("x2")),
    Id | None: Id("x2"),
    Money | None: Money.of("12.30", "CNY"),
    bool | None: True,
    str | None: None,
}


def kinds() -> list[type[Event]]:
    named = (getattr(events, name) for name in events.__all__)
    return [kind for kind in named if isinstance(kind, type) and kind not in {Event, Edited}]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_event_survives_the_outbox(kind: type[Event]) -> None:
    """What a listener gets is what has been told, through JSON."""
    facts: Any = {a.name: SAMPLES[a.type] for a in attrs.fields(attrs.resolve_types(kind))}
    event = kind(**facts)

    data = json.loads(json.dumps(to_plain(event)))

    assert from_plain(event.name, event.record_id, data) == event
    assert kind.entity in schemas()


def test_a_hosts_own_event_is_read_too() -> None:
    """Whoever emits it names its class."""

    @attrs.frozen(kw_only=True)
    class Greeted(Event):
        entity: ClassVar[str] = "customers"
        words: str

    event = Greeted(record_id=Id("c1"), words="你好")

    assert from_plain("Greeted", Id("c1"), to_plain(event), own=[Greeted]) == event


def test_what_is_no_event_is_refused() -> None:
    """By name, or by what it says."""
    with pytest.raises(InvalidValue, match="the name of an event"):
        from_plain("Event5", Id("c1"), {})
    with pytest.raises(InvalidValue, match="the data of ContactAdded"):
        from_plain("ContactAdded", Id("c1"), {"customer_id": 5})
