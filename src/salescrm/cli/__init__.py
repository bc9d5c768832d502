"""The command line: salescrm demo, import, report, tick, migrate, check-policy; what they do is elsewhere."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """The console script; says what to install where its packages are missing."""
    try:
        from salescrm.cli.commands import cli
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in ("click", "rich"):
            raise
        sys.exit(f"The command line needs {package}: pip install 'salescrm[cli]'")
    cli(prog_name="salescrm")
