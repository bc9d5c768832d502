"""Who may import whom: downward only, and each driver in one room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.architecture.source import levels, rooms, sources, upward_for_types

#: Modules of others, and the only places that may import them when the program runs.
ROOMS: Final[Mapping[str, tuple[str, ...]]] = {
    "sqlalchemy": ("salescrm.backends.sql",),
    "alembic": ("salescrm.backends.sql",),
    # An import keeps the keys it has met in a temporary file of SQLite's.
    "sqlite3": ("salescrm.backends.sql", "salescrm.imports.taking"),
    "psycopg": ("salescrm.backends.sql",),
    "pymysql": ("salescrm.backends.sql",),
    "aiosqlite": ("salescrm.backends.sql",),
    "asyncmy": ("salescrm.backends.sql",),
    "pymongo": ("salescrm.backends.mongo",),
    "bson": ("salescrm.backends.mongo",),
    "greenlet": ("salescrm.bridge",),
    "pluggy": ("salescrm.hooks",),
    "click": ("salescrm.cli",),
    "rich": ("salescrm.cli",),
    "pytest": ("salescrm.testing",),
    "hypothesis": ("salescrm.testing",),
}

#: What lies lower and may not be imported all the same.
CLOSED: Final[Mapping[str, frozenset[str]]] = {
    # Backends know documents and questions.
    "backends": frozenset(
        {"catalog", "entities", "events", "hooks", "policy", "repository", "reports"}
        | {"rules", "services", "stages", "calendars", "unit"}
    ),
    # What should happen is decided without a store in sight.
    **dict.fromkeys(("rules", "stages", "calendars"), frozenset({"storage", "catalog"})),
    # A policy knows what its questions are asked of, so that it can refuse those that can't be.
    "policy": frozenset({"storage"}),
}

#: Rooms in which time and chance are arguments.
WITHOUT_CLOCK: Final = frozenset(
    {
        "entities",
        "events",
        "stages",
        "calendars",
        "policy",
        "rules",
        "reports",
        "services",
        "query",
        "checking",
    }
)


def test_every_module_has_its_level() -> None:
    """A new module is placed once, in the import contract of pyproject.toml."""
    assert frozenset() == rooms() - levels().keys()


def test_imports_point_downward_only() -> None:
    """Also those inside functions and, with the exceptions that the contract lists, those for types alone."""
    upward = [
        f"{source.at(found.line)} {source.room} -> {found.room}"
        for source in sources()
        if source.room in levels()
        for found in source.imports()
        if levels().get(found.room or "", 0) > levels()[source.room or ""]
        if not (found.typing_only and (source.room, found.room) in upward_for_types())
    ]
    assert [] == upward


def test_nothing_inside_imports_the_public_face() -> None:
    """`from salescrm import Crm` inside the package would make a circle of everything."""
    outward = [
        source.at(found.line)
        for source in sources()
        if source.room is not None
        for found in source.imports()
        if found.target == "salescrm" or (found.room is not None and found.room not in rooms())
    ]
    assert [] == outward


def test_closed_doors_stay_closed() -> None:
    """Some rooms may not look into others although those lie lower."""
    through = [
        f"{source.at(found.line)} {source.room} -> {found.room}"
        for source in sources()
        for found in source.imports()
        if found.room in CLOSED.get(source.room or "", frozenset())
    ]
    assert [] == through


def test_drivers_stay_in_their_room() -> None:
    """Whoever brings a memory store needs neither SQLAlchemy nor PyMongo; for types alone a name is free."""
    strays = [
        f"{source.at(found.line)} {found.package}"
        for source in sources()
        for found in source.imports()
        if found.package in ROOMS and not found.typing_only
        if not any(f"{source.name}.".startswith(f"{room}.") for room in ROOMS[found.package])
    ]
    assert [] == strays


def test_decisions_read_no_clock_and_throw_no_dice() -> None:
    """Rules, stages, entities, reports and services get the moment and the chance as arguments."""
    forbidden = {"time", "random", "secrets", "uuid"}
    calls = (".now(", ".utcnow(", ".today(", "urandom(")
    readers = [
        source.at(found.line)
        for source in sources()
        if source.room in WITHOUT_CLOCK
        for found in source.imports()
        if found.package in forbidden
    ]
    readers += [
        source.at(number)
        for source in sources()
        if source.room in WITHOUT_CLOCK
        for number, line in enumerate(source.text.splitlines(), 1)
        if any(f"{owner}{call}" in line for owner in ("datetime", "date", "os") for call in calls)
    ]
    assert [] == readers
