"""From an address, or a host's engine or client, to the backend that serves it; nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from salescrm.errors import Invalid, Misconfigured

if TYPE_CHECKING:
    from salescrm.schema import Schema
    from salescrm.storage import Backend

__all__ = ["backend_for"]

_ASYNC_DRIVERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+psycopg_async",
        "postgresql+psycopg": "postgresql+psycopg_async",
        "mysql": "mysql+asyncmy",
        "mysql+pymysql": "mysql+asyncmy",
        "mariadb": "mariadb+asyncmy",
        "mariadb+pymysql": "mariadb+asyncmy",
    }
)
#: Which extra brings a package; of drivers that no extra brings the address itself says the name.
_EXTRAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sqlalchemy": "sql",
        "alembic": "sql",
        "psycopg": "postgres",
        "pymysql": "mysql",
        "pymongo": "mongo",
        "aiosqlite": "async",
        "asyncmy": "async",
        "greenlet": "async",
    }
)
_ADDRESSES: Final = "memory://, sqlite:///file.db, postgresql+psycopg://…, mysql+pymysql://…, mongodb://…"


def backend_for(
    engine: object, schemas: Sequence[Schema], options: Mapping[str, Any], *, asynchronous: bool = False
) -> Backend:
    """
    The backend for *engine*: an address, a SQLAlchemy engine, a PyMongo client, or a ready Backend.

    *asynchronous*: an address is opened with the driver that can be awaited.

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

                return MongoBackend(cast(Any, engine), schemas, asynchronous=asynchronous, **options)
            case "sql":
                from salescrm.backends.sql import SqlBackend

                if asynchronous and isinstance(engine, str):
                    engine = _awaitable(engine)
                return SqlBackend(cast(Any, engine), schemas, **options)
            case _:
                return cast("Backend", engine)
    except ValueError as problem:
        if isinstance(problem, Invalid) or not isinstance(engine, str):
            raise
        # Without the address, which may hold a password.
        raise Misconfigured("this address can't be read", f"use one of {_ADDRESSES}") from problem
    except ImportError as missing:
        package = (missing.name or "").partition(".")[0]
        if (extra := _EXTRAS.get(package)) is not None:
            hint = f"pip install 'salescrm[{extra}]'"
        else:
            hint = f"pip install {package}, or name another driver in the address"
        raise Misconfigured(f"the package {package} is missing", hint) from missing


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


def _awaitable(address: str) -> str:
    """A SQL *address* with the driver that can be awaited, where it names none or the plain one."""
    scheme, colon, rest = address.partition(":")
    return f"{_ASYNC_DRIVERS.get(scheme, scheme)}{colon}{rest}"
