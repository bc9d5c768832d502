"""What every contender works on: drafts of customers, moments, ids and opportunities, the same for all of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from salescrm.catalog import schemas
from salescrm.entities import Customer
from salescrm.ids import Id, IdMaker
from salescrm.money import Money
from salescrm.values import Region

__all__ = [
    "MEMBER",
    "OWNERS",
    "PIPELINE",
    "POOL",
    "RULE",
    "SCHEMAS",
    "START",
    "TENANT",
    "ZONE",
    "Deal",
    "Fields",
    "Ids",
    "clock",
    "customers",
    "deals",
    "drafts",
    "ids",
    "owned",
]

TENANT: Final = Id("main")
#: Who acts.
MEMBER: Final = Id("li")
#: A sales team of fifty: 4,000 customers each of 200,000.
OWNERS: Final = tuple(Id(f"member-{n:02}") for n in range(50))
PIPELINE: Final = "standard"
#: The pool that takes everything back, and the one rule by which it does.
POOL: Final = "sea"
RULE: Final = "quiet"
#: In which days begin; numbers carry the day.
ZONE: Final = ZoneInfo("Asia/Shanghai")
START: Final = datetime(2026, 3, 15, 10, tzinfo=UTC)

SCHEMAS: Final = schemas()

#: The arguments of `CustomerService.create`.
Fields: TypeAlias = dict[str, Any]
#: id, number, stage, status, minor units, currency, owner, customer.
Deal: TypeAlias = tuple[Id, str, str, str, int | None, str | None, Id, str]
Ids: TypeAlias = Callable[[datetime], Id]

_STAGES: Final = ("contact", "needs", "proposal", "negotiation", "contract", "paid", "lost")
_INDUSTRIES: Final = ("制造业", "软件", "零售", "医疗", "教育", "物流", "金融")
_CITIES: Final = (
    ("浙江省", "杭州市", "西湖区"),
    ("广东省", "深圳市", "南山区"),
    ("上海市", "上海市", "浦东新区"),
)


def clock() -> Callable[[], datetime]:
    """A clock that moves on by a millisecond with each look, from `START`."""
    looks = itertools.count()
    return lambda: START + timedelta(milliseconds=next(looks))


def ids(seed: int = 1) -> Ids:
    """A maker of ids that gives the same ones to every contender that asks in the same order."""
    return IdMaker(random.Random(seed).randbytes)


def drafts(seed: int = 1) -> Iterator[Fields]:
    """What users type when they create a customer: about twenty fields of fifty, without an end."""
    rng = random.Random(seed)
    for n in itertools.count(1):
        revenue = rng.randrange(1_000, 900_000) * 10_000
        yield {
            "name": f"{_CITIES[n % 3][1][:2]}第{n}机械有限公司",
            "industry": rng.choice(_INDUSTRIES),
            "size": rng.choice(("1-9", "10-49", "50-249", "250+")),
            "annual_revenue": Money(revenue, "CNY"),
            "region": Region(*_CITIES[n % 3]),
            "address": f"文三路 {n % 999 + 1} 号 {n % 30} 楼",
            "website": f"https://www.firm-{n}.example",
            "main_business": "精密零件加工与销售",
            "source": rng.choice(("online", "referral", "exhibition", "cold call")),
            "channel": rng.choice(("direct", "distributor")),
            "level": rng.choice("ABC"),
            "tags": ("高意向", rng.choice(("老客户", "新客户"))),
            "owner_id": OWNERS[n % len(OWNERS)],
            "interests": ("五轴机床",),
            "core_needs": "缩短交付周期, 降低废品率",
            "budget_low": Money(revenue // 100, "CNY"),
            "budget_high": Money(revenue // 50, "CNY"),
            "purchase_deadline": date(2026, 1 + n % 12, 1 + n % 28),
            "notes": "展会上认识, 已互加微信",
        }


def owned(at: datetime, fields: Fields) -> Fields:
    """What an owner brings to a customer at once: the moments that its pool counts from."""
    if fields.get("owner_id") is None:
        return {}
    return {"owned_since": at, "quiet_since": at, "stuck_since": at, "dealless_since": at}


def customers(count: int, seed: int = 1) -> Iterator[Customer]:
    """*count* stored customers of 2025, their last change anywhere in that year."""
    rng = random.Random(seed)
    make = ids(seed)
    year = datetime(2025, 1, 1, tzinfo=UTC)
    for n, fields in zip(range(count), drafts(seed), strict=False):
        created = year + timedelta(seconds=n * 100)
        updated = created + timedelta(milliseconds=rng.randrange(200 * 86_400_000))
        yield Customer(
            id=make(created),
            tenant=TENANT,
            version=1,
            created_at=created,
            created_by=MEMBER,
            updated_at=updated,
            updated_by=MEMBER,
            number=f"C{created:%Y%m%d}{n:06}",
            **owned(created, fields),
            **fields,
        )


def deals(count: int, seed: int = 1) -> Iterator[Deal]:
    """*count* deals of one pipeline in two currencies, a few of them without an amount."""
    rng = random.Random(seed)
    make = ids(seed)
    for n in range(count):
        stage = _STAGES[int(len(_STAGES) * rng.random() ** 2)]
        status = {"paid": "won", "lost": "lost"}.get(stage, "open")
        minor = rng.randrange(100_000, 90_000_000) if n % 50 else None
        currency = None if minor is None else "CNY" if rng.random() < 0.9 else "USD"
        owner = OWNERS[n % len(OWNERS)]
        yield make(START), f"O{n:09}", stage, status, minor, currency, owner, f"customer-{n % 200_000:06}"
