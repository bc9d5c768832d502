"""The memory backend: isolated transactions, sorted indexes and unique keys, in this process and nowhere else."""

from __future__ import annotations

from salescrm.backends.memory.backend import MemoryBackend
from salescrm.backends.memory.store import MemoryStore

__all__ = ["MemoryBackend", "MemoryStore"]
