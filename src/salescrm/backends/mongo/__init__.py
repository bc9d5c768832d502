"""MongoDB as an engine, through PyMongo's sync or async client; the only place that imports PyMongo."""

from __future__ import annotations

from salescrm.backends.mongo.backend import MongoBackend

__all__ = ["MongoBackend"]
