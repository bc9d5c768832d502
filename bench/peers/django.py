"""Django's ORM as a peer: unmanaged models over the same tables, `transaction.atomic` per unit of work."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

import django
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connections, models, transaction
from django.db.models import Count, Q, Sum

from bench.material import MEMBER, PIPELINE, SCHEMAS, TENANT, Fields, Ids
from bench.peers.columns import Writer
from salescrm.kinds import Kind

__all__ = ["DjangoPeer"]

_ALIASES: Final = itertools.count(1)


@cache
def _models(engine: str) -> dict[str, Any]:
    """A model per table, with the fields that this engine has for each kind."""
    postgres = engine == "postgresql"
    fields: dict[Kind, Callable[[], Any]] = {
        Kind.WHOLE: lambda: models.BigIntegerField(null=True),
        Kind.FLAG: models.BooleanField,
        Kind.MOMENT: lambda: models.DateTimeField(null=True),
        Kind.DAY: lambda: models.DateField(null=True),
        Kind.TEXTS: lambda: ArrayField(models.TextField()) if postgres else models.JSONField(),
        Kind.NESTED: models.JSONField,
        Kind.EXTRA: models.JSONField,
    }
    made: dict[str, Any] = {}
    for collection in ("customers", "opportunities", "change_log", "events"):
        schema = SCHEMAS[collection]
        options = {"db_table": collection, "managed": False, "app_label": f"bench_{engine}"}
        body: dict[str, Any] = {"__module__": __name__, "Meta": type("Meta", (), options)}
        for column in schema.columns:
            field = fields.get(column.kind, lambda: models.TextField(null=True))
            body[column.name] = models.TextField(primary_key=True) if column.name == "id" else field()
        made[collection] = type(schema.name, (models.Model,), body)
    return made


def _settings(url: str) -> dict[str, Any]:
    """What Django wants to know of the database at *url*."""
    if url.startswith("sqlite"):
        pragmas = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
        options = {"init_command": pragmas, "transaction_mode": "IMMEDIATE"}
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": options,
        }
    from psycopg.conninfo import conninfo_to_dict

    from tests.servers import driver_url

    found = conninfo_to_dict(driver_url(url))
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: str(found[key]) for key, name in names.items() if found.get(key)}
    return {"ENGINE": "django.db.backends.postgresql"} | given


class DjangoPeer:
    """A contender through managers."""

    name = "Django"

    def __init__(self, url: str, clock: Callable[[], datetime], ids: Ids) -> None:
        if not settings.configured:
            settings.configure(USE_TZ=True, TIME_ZONE="UTC", DATABASES={})
            django.setup()
        self._alias = f"bench{next(_ALIASES)}"
        connections.settings[self._alias] = connections.configure_settings(
            {"default": {}, self._alias: _settings(url)}
        )[self._alias]
        self._models = _models("sqlite" if url.startswith("sqlite") else "postgresql")
        self._writer = Writer(clock, ids)
        self._customers = self._models["customers"].objects.using(self._alias)

    def _new(self, now: datetime, fields: Fields) -> tuple[Any, Any, Any]:
        row = self._writer.customer(now, fields)
        entry, event = self._writer.added(now, row), self._writer.created(now, row)
        made = self._models
        return made["customers"](**row), made["change_log"](**entry), made["events"](**event)

    def create(self, fields: Fields) -> Any:
        made = self._new(self._writer.clock(), fields)
        with transaction.atomic(using=self._alias):
            for record in made:
                record.save(using=self._alias, force_insert=True)
        return made[0]

    def create_many(self, drafts: Sequence[Fields]) -> None:
        now = self._writer.clock()
        made = zip(*[self._new(now, fields) for fields in drafts], strict=True)
        with transaction.atomic(using=self._alias):
            for name, records in zip(("customers", "change_log", "events"), made, strict=True):
                self._models[name].objects.using(self._alias).bulk_create(records)

    def get(self, id: str) -> Any:
        return self._customers.get(tenant=TENANT, pk=id)

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], Any]]:
        with transaction.atomic(using=self._alias):
            yield self.get

    def pages(self, owner: str) -> Iterator[Sequence[Any]]:
        last: Any = None
        while True:
            query = self._customers.filter(tenant=TENANT, owner_id=owner)
            if last is not None:
                at, id = last.updated_at, last.id
                # Django has no row values; this form lets the index start at the right moment.
                query = query.filter(Q(updated_at__lt=at) | Q(updated_at=at, id__lt=id), updated_at__lte=at)
            page = list(query.order_by("-updated_at", "-id")[:50])
            if not page:
                return
            yield page
            last = page[-1]

    def edit(self, customer: Any, level: str) -> Any:
        now = self._writer.clock()
        changes = {"level": [customer.level, level]}
        with transaction.atomic(using=self._alias):
            read = self._customers.filter(tenant=TENANT, pk=customer.id, version=customer.version)
            new = {"level": level, "version": customer.version + 1, "updated_at": now, "updated_by": MEMBER}
            if read.update(**new) != 1:
                raise LookupError(customer.id)
            entry = self._writer.entry(now, customer.id, "saved", customer.version + 1, changes)
            event = self._writer.event(now, customer.id, "CustomerEdited", {"fields": ["level"]})
            self._models["change_log"](**entry).save(using=self._alias, force_insert=True)
            self._models["events"](**event).save(using=self._alias, force_insert=True)
        for name, value in new.items():
            setattr(customer, name, value)
        return customer

    def funnel(self) -> list[tuple[Any, ...]]:
        deals = self._models["opportunities"].objects.using(self._alias)
        keys = ("stage", "amount_currency")
        groups = deals.filter(tenant=TENANT, pipeline=PIPELINE).values(*keys).order_by(*keys)
        return list(groups.annotate(n=Count("*"), worth=Sum("amount")).values_list(*keys, "n", "worth"))

    def close(self) -> None:
        connections[self._alias].close()
