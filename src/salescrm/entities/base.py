"""What every record has: an identity, a tenant, a version, and who made and last changed it when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

import attrs

from salescrm.values import Id, Moment

__all__ = ["UNSTAMPED", "Record", "RecordT"]

#: The moment of a record that no Work has stamped yet.
UNSTAMPED: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Record:
    """
    The stamps of a record.

    A record made by hand carries blanks here; the Work that adds it fills them in.  A blank id is given one.
    """

    id: Id = Id("")
    tenant: Id = Id("")
    #: 1 when added, one more with each save.
    version: int = 0
    created_at: Moment = UNSTAMPED
    created_by: Id = Id("")
    updated_at: Moment = UNSTAMPED
    updated_by: Id = Id("")


RecordT = TypeVar("RecordT", bound=Record)
