"""The memory backend keeps the contract."""

from __future__ import annotations

import pytest

from salescrm.backends.memory import MemoryBackend
from salescrm.testing.contract import StoreContract

pytestmark = pytest.mark.engine("memory")


@pytest.fixture(scope="class")
def backend() -> MemoryBackend:
    return MemoryBackend()


class TestMemory(StoreContract):
    pass
