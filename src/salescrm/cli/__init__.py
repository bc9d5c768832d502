"""The command line: salescrm demo, import, report, tick, migrate, check-policy; what they do is elsewhere."""

from __future__ import annotations

import io
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A pipe on Windows: better a question mark for a Chinese name than no report.
            stream.reconfigure(errors="replace")
    cli(prog_name="salescrm")
