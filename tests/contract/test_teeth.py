"""The contract suite has teeth: a backend that breaks one promise does not pass it."""

from __future__ import annotations

import pytest

from tests.contract.broken import BROKEN

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from tests.contract.broken import BROKEN, BrokenBackend

store, part = BROKEN[{name!r}]

class TestBroken(part):
    @pytest.fixture
    def backend(self):
        return BrokenBackend(store)
"""


@pytest.mark.parametrize("name", BROKEN)
def test_broken_backend_is_caught(pytester: pytest.Pytester, name: str) -> None:
    """By the part of the contract that it breaks."""
    pytester.makepyfile(SUITE.format(name=name))

    outcome = pytester.runpytest_inprocess(
        "-p", "no:xdist", "-p", "no:cacheprovider", "-x", "-q", "--tb=line"
    )

    assert pytest.ExitCode.TESTS_FAILED == outcome.ret, outcome.outlines[-5:]


def test_sound_backend_passes(pytester: pytest.Pytester) -> None:
    """What is caught is what is broken, not the way it is tried."""
    pytester.makepyfile(
        """
        from tests.contract.broken import BROKEN, BrokenBackend
        from salescrm.backends.memory import MemoryStore
        from salescrm.testing.contract import Writing
        import pytest

        class TestSound(Writing):
            @pytest.fixture
            def backend(self):
                return BrokenBackend(MemoryStore)
        """
    )

    outcome = pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider", "-q", "--tb=line")

    assert pytest.ExitCode.OK == outcome.ret, outcome.outlines[-5:]
