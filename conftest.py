"""Every Python block of the README and the documentation is a test; the blocks of one page share their names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling


def _own_folder(namespace: dict[str, Any]) -> None:
    """A page's files land in a folder of its own."""
    namespace["_before"], namespace["_folder"] = (
        Path.cwd(),
        tempfile.TemporaryDirectory(prefix="salescrm-docs-"),
    )
    os.chdir(namespace["_folder"].name)


def _leave_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=_own_folder,
    teardown=_leave_folder,
).pytest()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """What a block leaves open is a warning: Sybil cannot report what is raised between its items."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """A page's blocks run in order, on one worker; every other test goes wherever there is time."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    # Not xdist's own loadgroup: it writes the group into item._nodeid, which pytest 9.2 no longer reads.
    class ByPage(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
        def _split_scope(self, nodeid: str) -> str:
            page, _, _ = nodeid.partition("::")
            return page if page.endswith(".md") else nodeid

    return ByPage(config, log)
