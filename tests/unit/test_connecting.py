"""Addresses: what can't be served is refused by name, and never with the password that was in it."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.parametrize(
    "address, package, hint",
    [
        ("sqlite:///crm.db", "sqlalchemy", "pip install 'salescrm[sql]'"),
        ("postgresql+psycopg://h/db", "psycopg", "pip install 'salescrm[postgres]'"),
        ("mysql+pymysql://h/db", "pymysql", "pip install 'salescrm[mysql]'"),
        ("mongodb://h/db", "pymongo", "pip install 'salescrm[mongo]'"),
        (
            "postgresql+psycopg2://h/db",
            "psycopg2",
            "pip install psycopg2, or name another driver in the address",
        ),
    ],
)
def test_a_package_that_is_missing_comes_with_what_installs_it(address: str, package: str, hint: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
import salescrm
try:
    salescrm.connect({address!r})
except salescrm.StoreError as refusal:
    print(refusal)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"the package {package} is missing; {hint}" == said.strip()
