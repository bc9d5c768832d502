"""The memory engine as a `storage.Backend`."""

from __future__ import annotations

from typing import Final

from salescrm.backends.memory.store import MemoryStore
from salescrm.backends.memory.transaction import Committed, Transaction
from salescrm.errors import Misconfigured
from salescrm.storage import Capabilities

__all__ = ["MemoryBackend"]


class MemoryBackend:
    """
    Records in this process, gone with the object; a `storage.Backend`.

    Any number of threads may read while one transaction writes.  The next writer waits for it, at most *lock_timeout*
    seconds, and then gets `Transient`.
    """

    capabilities: Final = Capabilities(concurrent_writers=False, durable=False, joinable=("MemoryStore",))

    def __init__(self, *, lock_timeout: float = 5.0) -> None:
        self._committed = Committed(lock_timeout)

    def open(self, tenant: str) -> MemoryStore:
        """A store in a transaction of its own."""
        return MemoryStore(Transaction(self._committed), tenant, owned=True)

    def join(self, handle: object, tenant: str) -> MemoryStore:
        """
        A store inside the transaction of the store *handle*; never commits or rolls it back.

        Raises:
            Misconfigured: *handle* is no `MemoryStore`, or one of another backend.
            WorkEnded: Its transaction is over.
        """
        if not isinstance(handle, MemoryStore):
            raise Misconfigured(
                f"The memory backend can't join a {type(handle).__name__}", "give it a MemoryStore of its own"
            )
        transaction = handle.transaction
        if transaction.committed is not self._committed:
            raise Misconfigured("This MemoryStore belongs to another MemoryBackend", "open it here")
        transaction.check()
        return MemoryStore(transaction, tenant, owned=False)

    def migrate(self) -> None:
        """Nothing to do: there are no tables but those made by what is written."""

    def verify(self) -> None:
        """Nothing can be outdated."""

    def close(self) -> None:
        """Nothing to free: the records go with the object."""
