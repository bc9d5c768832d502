"""Addresses: what can't be served is refused by name, and never with the password that was in it."""

from __future__ import annotations

from typing import Any

import pytest

import salescrm
from salescrm import Misconfigured

WRONG = (
    "", "x", "sqlite", "memoryfoo://", "oracle://h/db", "sqlite+nosuch:///x.db", "postgresql+nosuch://h/db",
    "postgresql://li:secret@h:abc/db", "postgresql://li:secret@[::1/x", "mongodb://", "mongodb://li:secret@h:x/db",
    None, 5, b"memory://",
)  # fmt: skip


@pytest.mark.parametrize("address", WRONG, ids=str)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_address_that_leads_nowhere_is_misconfigured(address: Any, asynchronous: bool) -> None:
    with pytest.raises(Misconfigured) as refusal:
        salescrm.connect(address, asynchronous=asynchronous)
    assert "secret" not in str(refusal.value)
