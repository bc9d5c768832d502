"""From an address, or a host's engine or client, to the backend that serves it; nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from salescrm.errors import Misconfigured

if TYPE_CHECKING:
    from salescrm.schema import Schema
    from salescrm.storage import Backend

__all__ = ["backend_for", "for_asyncio"]

_ADDRESSES = "memory://, sqlite:///file.db, postgresql+psycopg://…, mysql+pymysql://…, mongodb://…"


def backend_for(engine: object, schemas: Sequence[Schema], options: Mapping[str, Any]) -> Backend:
    """The backend for *engine*: an address, a SQLAlchemy engine, a PyMongo client, or a ready Backend.

    Raises:
        Misconfigured: Nothing serves this, or a package is missing.
    """
    family = _family(engine)
    try:
        match family:
            case "memory":
                from salescrm.backends.memory import MemoryBackend

                return MemoryBackend(**options)
            case "mongo":
                from salescrm.backends.mongo import MongoBackend

                return MongoBackend(engine, schemas, **options)  # type: ignore[arg-type]  # as _family has seen
            case "sql":
                from salescrm.backends.sql import SqlBackend

                return SqlBackend(engine, schemas, **options)  # type: ignore[arg-type]  # as _family has seen
            case _:
                return cast("Backend", engine)
    except ImportError as missing:
        extra = {"mongo": "mongo", "sql": "sql"}.get(family, family)
        raise Misconfigured(
            f"the package {missing.name} is missing",
            f"install salescrm[{extra}] or the driver that the address names",
        ) from missing


def _family(engine: object) -> str:
    """Which kind of backend *engine* asks for."""
    if isinstance(engine, str):
        scheme = engine.split(":", 1)[0].split("+", 1)[0]
        families = {"memory": "memory", "mongodb": "mongo"}
        if scheme in families:
            return families[scheme]
        if scheme in ("sqlite", "postgresql", "mysql", "mariadb"):
            return "sql"
        raise Misconfigured(f"no backend serves {scheme}://", f"use one of {_ADDRESSES}")
    module = type(engine).__module__.split(".", 1)[0]
    if module == "sqlalchemy":
        return "sql"
    if module == "pymongo":
        return "mongo"
    if all(hasattr(engine, name) for name in ("open", "join", "migrate", "capabilities")):
        return "backend"
    raise Misconfigured(f"no backend serves a {type(engine).__name__}", f"use one of {_ADDRESSES}")


def for_asyncio(engine: object) -> object:
    """*engine* as the backends take it under asyncio: an address becomes an async engine or client.

    Raises:
        Misconfigured: The address names a driver that can't be awaited, or a package is missing.
    """
    if not isinstance(engine, str):
        return engine
    family = _family(engine)
    try:
        if family == "sql":
            from salescrm.backends.sql import async_engine

            return async_engine(engine)
        if family == "mongo":
            from salescrm.backends.mongo import async_client

            return async_client(engine)
    except ImportError as missing:
        raise Misconfigured(f"the package {missing.name} is missing", "install salescrm[async]") from missing
    return engine
