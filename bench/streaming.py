"""
``python -m bench.streaming ROWS``: a CSV of that many customers, written here, imported into a new SQLite file.

A process of its own, so that its peak of memory is that of the import; prints it and the counts as JSON.
"""

from __future__ import annotations

import csv
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import salescrm
from bench.material import MEMBER, drafts
from bench.measuring import peak_megabytes
from salescrm.imports import import_files, loads_plan

_PLAN: Final = """
name = "stream"

[[records]]
name = "customers"
file = "customers.csv"
entity = "Customer"
key = "code"
[records.fields]
name = "name"
industry = "industry"
address = "address"
website = "website"
source = "source"
level = "level"
notes = "notes"
"""
_COLUMNS: Final = ("name", "industry", "address", "website", "source", "level", "notes")


def main(count: int) -> None:
    """Imports *count* rows."""
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "customers.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["code", *_COLUMNS])
            for n, fields in enumerate(itertools.islice(drafts(), count)):
                writer.writerow([f"K{n}", *[fields[name] for name in _COLUMNS]])
        with salescrm.connect(f"sqlite:///{folder}/stream.db") as crm:
            crm.migrate()
            start = time.perf_counter()
            result = import_files(crm, loads_plan(_PLAN), folder, by=MEMBER)
            seconds = time.perf_counter() - start
    added = sum(one.counts.added for one in result.records)
    print(json.dumps({"added": added, "seconds": seconds, "megabytes": peak_megabytes()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
