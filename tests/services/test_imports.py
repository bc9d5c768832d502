"""What an import promises: every row is accounted for, none stops another, and a second run finds what the first brought."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

import salescrm
from salescrm import (
    Crm,
    F,
    HookRefused,
    Id,
    InvalidDefinition,
    InvalidValue,
    Money,
    Policy,
    Refuse,
    Region,
    Work,
    hookimpl,
)
from salescrm.imports import Counts, ImportResult, Progress, RefusedRow, import_files, loads_plan, recall
from salescrm.imports.encodings import recognise
from salescrm.labels import Label
from salescrm.policy import ExtraField
from salescrm.testing import Clock

pytestmark = pytest.mark.engine("memory")

CUSTOMERS = """
    name = "test"
    currency = "CNY"

    [[records]]
    name = "customers"
    file = "customers.csv"
    entity = "Customer"
    key = "no"
    [records.fields]
    name = "name"
    industry = "industry"
    founded_year = "founded"
    annual_revenue = "revenue"
"""

DEALS = """
    name = "deals"
    currency = "USD"

    [maps.stages]
    New = "initial_contact"
    Offer = "proposal"
    Won = "paid"
    Lost = "lost"

    [[records]]
    name = "products"
    file = "products.csv"
    entity = "Product"
    key = "sku"
    fields.name = "sku"

    [[records]]
    name = "deals"
    file = "deals.csv"
    entity = "Opportunity"
    key = "no"
    fields.name = "no"
    fields.amount = "amount"
    fields.lost_reason = "why"
    [records.history]
    pipeline = "standard"
    stage = { column = "stage", map = "stages" }
    dates = { initial_contact = "opened", proposal = "offered", paid = "closed", lost = "closed" }
    undated = 2026-01-31
    [[records.lines]]
    product_id = { column = "sku", refers = "products" }
    amount = "amount"
"""


class Folder:
    """A directory of files to import, and a Crm to import them into."""

    def __init__(self, path: Path, crm: Crm) -> None:
        self.path, self.crm = path, crm

    def file(self, name: str, text: str, encoding: str = "utf-8") -> None:
        (self.path / name).write_bytes(dedent(text).lstrip("\n").encode(encoding))

    def bring(self, plan: str, *, update: bool = False, batch: int = 1000) -> ImportResult:
        loaded = loads_plan(dedent(plan) if not update else f'on_repeat = "update"\n{dedent(plan)}')
        return import_files(self.crm, loaded, self.path, by="host", batch=batch)

    def work(self) -> Work:
        return self.crm.begin(by="host")


@pytest.fixture
def folder(tmp_path: Path, crm: Crm) -> Folder:
    return Folder(tmp_path, crm)


def told(result: ImportResult) -> list[tuple[int, str | None, str | None]]:
    return [(row.line, row.column, row.value) for row in result.refused]


HEAD = "no,name,industry,founded,revenue\n"


def test_a_row_becomes_a_record(folder: Folder) -> None:
    """With its own number, its log entry and its event, as if somebody had typed it in."""
    folder.file("customers.csv", HEAD + '1, Acme ,retail,1999,"1,234.50"\n')

    result = folder.bring(CUSTOMERS)

    assert Counts(rows=1, added=1) == result.counts
    with folder.work() as work:
        acme = work.customers.find()[0]
        log, events = work.history.of(acme), work.history.events()
    assert ("Acme", "retail", 1999, Money.of("1234.50", "CNY")) == (
        acme.name,
        acme.industry,
        acme.founded_year,
        acme.annual_revenue,
    )
    assert ("C20260315001", "host") == (acme.number, acme.created_by)
    assert ["added"] == [entry.kind for entry in log]
    assert ["CustomerCreated"] == [event.name for event in events]


def test_a_second_run_changes_nothing(folder: Folder) -> None:
    """Neither records nor log nor events nor numbers."""
    folder.file("customers.csv", HEAD + "1,Acme,,,\n2,Bolt,,,\n")
    folder.bring(CUSTOMERS)

    for update in (False, True):
        assert Counts(rows=2, unchanged=2) == folder.bring(CUSTOMERS, update=update).counts
    with folder.work() as work:
        assert 2 == work.customers.count() == work.history.count() == len(work.history.events())
        assert 1 == max(one.version for one in work.customers.stream())


def test_what_is_there_is_left_alone_or_updated(folder: Folder) -> None:
    """As the plan says; an update touches the fields of the plan and no others."""
    folder.file("customers.csv", HEAD + "1,Acme,retail,,\n")
    folder.bring(CUSTOMERS)
    with folder.work() as work:
        work.customers.edit(work.customers.find()[0], industry="finance", notes="mine")

    folder.file("customers.csv", HEAD + "1,Acme Ltd,retail,,\n")
    assert Counts(rows=1, unchanged=1) == folder.bring(CUSTOMERS).counts
    assert Counts(rows=1, updated=1) == folder.bring(CUSTOMERS, update=True).counts

    with folder.work() as work:
        acme = work.customers.find()[0]
    assert ("Acme Ltd", "retail", "mine", 3) == (acme.name, acme.industry, acme.notes, acme.version)


def test_of_two_rows_with_one_key_the_first_counts(folder: Folder) -> None:
    """One that says the same is no news; one that says something else is refused and names the first, in every run."""
    rows = '1,Acme,,,"1,000"\n2,Bolt,,,\n1,Acme,,,1000.00\n1,Acme Ltd,,,1000\n2,Bolt,retail,,\n'
    folder.file("customers.csv", HEAD + rows)

    first = folder.bring(CUSTOMERS, batch=2)
    again = folder.bring(CUSTOMERS, batch=3, update=True)
    skipped = folder.bring(CUSTOMERS)

    assert Counts(rows=5, added=2, unchanged=1, refused=2) == first.counts
    assert Counts(rows=5, unchanged=3, refused=2) == again.counts == skipped.counts
    assert [(5, "no", "1"), (6, "no", "2")] == told(first) == told(again) == told(skipped)
    assert [
        "expected what line 2 says, which has the same key",
        "expected what line 3 says, which has the same key",
    ] == [row.reason for row in again.refused]
    with folder.work() as work:
        assert {"Acme": 1, "Bolt": 1} == {one.name: one.version for one in work.customers.stream()}
        assert 2 == work.history.count()


def test_two_rows_of_one_deal_change_nothing_on_later_runs(folder: Folder) -> None:
    """Neither the deal nor its line nor its history: what only dates say is told apart too."""
    folder.file("products.csv", "sku\nA\n")
    head = "no,sku,amount,stage,opened,offered,closed,why\n"
    folder.file(
        "deals.csv",
        head
        + "1,A,10,Offer,2026-01-02,2026-01-05,,\n"
        + "1,A,20,Offer,2026-01-02,2026-01-05,,\n"
        + "1,A,10,Offer,2026-01-03,2026-01-05,,\n",
    )
    folder.bring(DEALS, update=True)
    with folder.work() as work:
        before = work.history.count()

    again = folder.bring(DEALS, update=True)

    assert Counts(rows=4, unchanged=2, refused=2) == again.counts
    assert [(3, "no", "1"), (4, "no", "1")] == told(again)
    with folder.work() as work:
        assert before == work.history.count()


def test_a_row_that_was_refused_gives_way_to_the_next(folder: Folder) -> None:
    """The first row that can be taken counts; whether it came to a batch whole or in halves makes no difference."""
    folder.file("customers.csv", HEAD + "1,Acme,,soon,\n1,Acme,,1999,\n1,Acme,,2001,\n")

    for batch in (1, 3):
        assert [(2, "founded", "soon"), (4, "no", "1")] == told(
            folder.bring(CUSTOMERS, batch=batch, update=True)
        )
    with folder.work() as work:
        assert [1999] == [one.founded_year for one in work.customers.stream()]


def test_a_refused_row_links_nothing(folder: Folder) -> None:
    """A second row's reference to a record further down its own file is refused with the rest of it."""
    plan = dedent(CUSTOMERS).replace(
        'industry = "industry"', 'parent_id = { column = "industry", refers = "customers" }'
    )
    folder.file("customers.csv", HEAD + "1,Child,2,,\n1,Child,3,,\n2,Parent,,,\n3,Stranger,,,\n")

    for counts in (
        Counts(rows=4, added=3, refused=1, linked=1),
        Counts(rows=4, unchanged=3, refused=1),
    ):
        assert counts == folder.bring(plan, batch=1, update=True).counts
    with folder.work() as work:
        [child] = work.customers.find(F.parent_id.is_set())
        assert child.parent_id is not None
        assert "Parent" == work.customers.get(child.parent_id).name


def test_refused_rows_are_told_and_stop_nobody(folder: Folder) -> None:
    """Each with its line, column, value and reason; lines count as an editor counts them."""
    folder.file(
        "customers.csv",
        HEAD
        + '1,"Acme\nof two lines",,,\n'
        + "2,Bolt,,nineteen,\n"
        + "3,,,,\n"
        + "4,Cog,,,1.234\n"
        + ",Nobody,,,\n"
        + "\n"
        + "5,Drum,,\n"
        + "6," + "x" * 300 + ",,,\n"
        + '7,"Even" odd,,,\n'
        + "8,Fine,,,12\n",
    )  # fmt: skip

    result = folder.bring(CUSTOMERS)

    assert Counts(rows=9, added=1, refused=8) == result.counts
    assert [
        (2, "name", "Acme\nof two lines"),
        (4, "founded", "nineteen"),
        (5, "name", ""),
        (6, "revenue", "1.234"),
        (7, "no", ""),
        (9, None, None),
        (10, "name", "x" * 300),
        (11, None, None),
    ] == sorted(told(result), key=lambda one: one[0])
    reasons = {row.line: row.reason for row in result.refused}
    assert "expected a single line without control characters" == reasons[2]
    assert "expected a number, such as 1234.5 or 1,234.5" == reasons[4]
    assert "expected at most 255 characters" == reasons[10]
    assert all(row.file == "customers.csv" for row in result.refused)
    with folder.work() as work:
        assert ["Fine"] == [one.name for one in work.customers.stream()]


def test_a_quote_without_an_end_swallows_no_more_than_a_cell_may_hold(folder: Folder) -> None:
    """What a program left unfinished is refused at its line; memory does not run away with it."""
    rows = "".join(f"{n},C{n},,,\n" for n in range(3, 50_000))
    folder.file("customers.csv", f'{HEAD}1,Acme,,,\n2,"Bolt,,,\n{rows}')

    result = folder.bring(CUSTOMERS)

    assert 3 == result.refused[0].line
    assert "well-formed CSV" in result.refused[0].reason
    assert 1 <= result.counts.refused <= 2  # the second is the row that the limit cut in two
    with folder.work() as work:
        names = {one.name for one in work.customers.stream()}
    assert {"Acme", "C49999"} <= names
    assert 35_000 < len(names) < 50_000


def test_batches_make_no_difference(folder: Folder) -> None:
    """One row at a time or all at once."""
    folder.file(
        "customers.csv", HEAD + "".join(f"{n},C{n},,{'x' if n % 5 == 0 else ''},\n" for n in range(23))
    )
    small = folder.bring(CUSTOMERS, batch=1)
    again = folder.bring(CUSTOMERS, batch=7)

    assert Counts(rows=23, added=18, refused=5) == small.counts
    assert Counts(rows=23, unchanged=18, refused=5) == again.counts
    assert told(small) == told(again)
    for batch in (0, 10_001, True, 1.5):
        with pytest.raises(InvalidValue):
            folder.bring(CUSTOMERS, batch=batch)  # type: ignore[arg-type]  # what a caller may try


def test_an_import_that_was_cut_off_goes_on(folder: Folder) -> None:
    """What was committed is there; the next run brings the rest."""
    folder.file("customers.csv", HEAD + "".join(f"{n},C{n},,,\n" for n in range(10)))
    plan = loads_plan(dedent(CUSTOMERS))

    def cut(now: Progress) -> None:
        if now.rows == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(folder.crm, plan, folder.path, by="host", progress=cut, batch=3)
    assert Counts(rows=10, added=4, unchanged=6) == folder.bring(CUSTOMERS).counts


def test_hostile_cells_are_refused(folder: Folder) -> None:
    """Whatever a file holds: our own reasons, and the good rows come in."""
    cells = [
        "a\0b",
        "x" * 100_000,
        " \u3000 ",
        "\u202e$ne",
        "=cmd()",
        "'; DROP TABLE customers; --",
        "9" * 400,
    ]
    rows = [f'{n},"{cell}",,,' for n, cell in enumerate(cells)]
    numbers = ["NaN", "1e999", "-0", "９９", "1_000", "٣", "9" * 30, "0x10", "1,00"]
    rows += [f'n{n},N{n},,"{number}","{number}"' for n, number in enumerate(numbers)]
    folder.file("customers.csv", HEAD + "\n".join(rows) + "\n")

    result = folder.bring(CUSTOMERS)

    with folder.work() as work:
        names = {one.name: one.founded_year for one in work.customers.stream()}
    assert {
        "=cmd()": None,
        "'; DROP TABLE customers; --": None,
        "N2": 0,
        "N3": 99,
    } == names
    assert Counts(rows=16, added=4, refused=12) == result.counts
    assert all(isinstance(row.problem, InvalidValue) for row in result.refused)


def test_whoever_hears_hooks_may_refuse_a_row(tmp_path: Path, clock: Clock) -> None:
    """The others of its batch come in all the same."""

    class NoB:
        @hookimpl
        def adding_record(self, work: Work, record: object) -> None:
            if getattr(record, "name", "").startswith("B"):
                raise Refuse("no B here")

    with salescrm.connect("memory://", clock=clock, plugins=[NoB()]) as crm:
        folder = Folder(tmp_path, crm)
        folder.file("customers.csv", HEAD + "".join(f"{n},{name},,,\n" for n, name in enumerate("ABCDB")))
        result = folder.bring(CUSTOMERS)

    assert Counts(rows=5, added=3, refused=2) == result.counts
    assert [3, 6] == [row.line for row in result.refused]
    assert isinstance(result.refused[0].problem, HookRefused)
    assert "no B here" in result.refused[0].reason


def test_a_number_that_is_taken_refuses_its_row(folder: Folder) -> None:
    """What only the store can tell is told by row too."""
    plan = dedent(CUSTOMERS) + 'number = "industry"\n'
    plan = plan.replace('industry = "industry"\n', "")
    folder.file("customers.csv", HEAD + "1,Acme,X1,,\n2,Bolt,X2,,\n3,Cog,X1,,\n4,Drum,X3,,\n")

    result = folder.bring(plan)

    assert Counts(rows=4, added=3, refused=1) == result.counts
    assert 4 == result.refused[0].line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_encodings_are_recognised(folder: Folder, encoding: str) -> None:
    """Those that spreadsheets write in China."""
    folder.file(
        "customers.csv", HEAD + "1,云帆精密制造有限公司（苏州）,制造业,,\n2,王记“老”店,零售,,\n", encoding
    )

    assert 2 == folder.bring(CUSTOMERS).counts.added
    with folder.work() as work:
        assert {"云帆精密制造有限公司（苏州）", "王记“老”店"} == {one.name for one in work.customers.stream()}


def test_western_letters_are_no_rare_chinese(folder: Folder) -> None:
    """cp1252, though its bytes could be read as GB18030."""
    names = ["Müller & Söhne", "Café Zoë", "Señor Ñandú", "Łódź"[1:]]
    folder.file(
        "customers.csv", HEAD + "".join(f"{n},{name},,,\n" for n, name in enumerate(names[:3])), "cp1252"
    )

    assert "cp1252" == recognise(folder.path / "customers.csv")
    folder.bring(CUSTOMERS)
    with folder.work() as work:
        assert set(names[:3]) == {one.name for one in work.customers.stream()}


def test_a_named_encoding_is_kept_to(folder: Folder) -> None:
    """A row that is not in it is refused, the others are not."""
    folder.file("customers.csv", HEAD + "1,Acme,,,\n2,云帆,,,\n3,Cog,,,\n", "gb18030")

    result = folder.bring('encoding = "utf-8"\n' + dedent(CUSTOMERS))

    assert Counts(rows=3, added=2, refused=1) == result.counts
    assert "expected text without lone surrogates" == result.refused[0].reason


def test_references_are_to_what_is_there(folder: Folder) -> None:
    """To another file's records or one's own, wherever in the file they stand."""
    plan = dedent(CUSTOMERS) + dedent(
        """
        parent_id = { column = "industry", refers = "customers" }

        [[records]]
        name = "contacts"
        file = "contacts.csv"
        entity = "Contact"
        key = ["company", "person"]
        [records.fields]
        name = "person"
        mobile = "mobile"
        customer_id = { column = "company", refers = "customers" }
        """
    )
    plan = plan.replace('industry = "industry"\n', "")
    folder.file("customers.csv", HEAD + "1,Child,3,,\n2,Orphan,9,,\n3,Parent,,,\n4,Younger,3,,\n")
    folder.file(
        "contacts.csv",
        "company,person,mobile\n3,Wang,13800138001\n3,Li,138 0013 8002\n8,Lost,13800138003\n1,Mute,\n1,Zhao,12345\n",
    )

    folder.bring(plan, batch=1)
    result = folder.bring(plan, update=True)

    assert (0, 0, 0) == (result.counts.added, result.counts.updated, result.counts.linked)
    assert [
        ("customers.csv", 3, "industry", "9"),
        ("contacts.csv", 4, "company", "8"),
        ("contacts.csv", 5, "mobile", ""),
        ("contacts.csv", 6, "mobile", "12345"),
    ] == [(row.file, row.line, row.column, row.value) for row in result.refused]
    with folder.work() as work:
        parent = work.customers.find(F.name == "Parent")[0]
        assert {"Child", "Younger"} == {one.name for one in work.customers.stream(F.parent_id == parent.id)}
        assert [("Li", "+8613800138002", False), ("Wang", "+8613800138001", True)] == [
            (one.name, one.mobile, one.primary) for one in work.contacts.of(parent.id)
        ]


def test_a_record_may_be_named_before_it_comes(folder: Folder) -> None:
    """Its reference is filled in by a second reading, whatever the batches."""
    plan = dedent(CUSTOMERS).replace(
        'industry = "industry"', 'parent_id = { column = "industry", refers = "customers" }'
    )
    folder.file("customers.csv", HEAD + "1,Child,3,,\n2,Other,,,\n3,Parent,1,,\n")

    assert Counts(rows=3, added=3, linked=1) == folder.bring(plan, batch=2).counts
    assert Counts(rows=3, unchanged=3) == folder.bring(plan, batch=2, update=True).counts
    with folder.work() as work:
        names = {one.id: one.name for one in work.customers.stream()}
        assert {"Child": "Parent", "Parent": "Child"} == {
            one.name: names[one.parent_id]
            for one in work.customers.stream(F.parent_id.is_set())
            if one.parent_id
        }


def test_every_kind_of_field_can_be_filled(tmp_path: Path, clock: Clock) -> None:
    """Days, moments, flags, lists, parts, custom fields, bands, constants, defaults."""
    extra = ExtraField(entity="Customer", name="seats", kind="whole", label=Label("Seats", "席位"))
    plan = """
        name = "kinds"
        time_zone = "America/New_York"
        currency = "JPY"
        maps.levels = { gold = "A" }
        [[records]]
        name = "teams"
        file = "all.csv"
        entity = "Team"
        key = "team"
        optional = true
        id = "key"
        fields.name = "team"
        [[records]]
        name = "members"
        file = "all.csv"
        entity = "Member"
        key = "who"
        id = "key"
        fields.name = { columns = ["who", "team"], join = " of " }
        fields.team_id = { column = "team", refers = "teams" }
        fields.active = "active"
        fields.skills = { column = "skills", split = ";" }
        fields.roles = { value = "rep" }
        [[records]]
        name = "customers"
        file = "all.csv"
        entity = "Customer"
        key = ["who", "team"]
        [records.fields]
        name = "who"
        kind = { value = "person" }
        level = { column = "level", map = "levels", default = "D" }
        owner_id = { column = "who", refers = "members" }
        birth_date = { column = "born", formats = ["%d.%m.%Y", "%Y年%m月%d日"] }
        first_contact_at = "met"
        "region.province" = "province"
        "region.city" = "city"
        "extra.seats" = "seats"
        budget_low = { column = "budget", times = 1_000 }
        size = { column = "heads", bands = { "1-9" = 1, "10-49" = 10 } }
        tags = { value = "imported" }
    """
    with salescrm.connect("memory://", clock=clock, policy=Policy(extra_fields=[extra])) as crm:
        folder = Folder(tmp_path, crm)
        folder.file(
            "all.csv",
            """
            who,team,active,skills,level,born,met,province,city,seats,budget,heads
            Ann,East,是,a; b;;a,gold,1.2.1980,2026-01-02,浙江省,杭州市,3,1.5,12
            Bob,,no,,,1980年2月1日,2026-01-02T03:04:05+00:00,,,,,0
            Cyd,,maybe,,,,,,,,,9
            """,
        )
        result = folder.bring(plan)
        with folder.work() as work:
            ann, bob = work.members.get(Id("Ann")), work.members.get(Id("Bob"))
            customer = work.customers.find(F.name == "Ann")[0]

    assert [
        ("members", 4, "active", "maybe"),
        ("customers", 3, "heads", "0"),
        ("customers", 4, "who", "Cyd"),
    ] == [(row.records, row.line, row.column, row.value) for row in result.refused]
    assert ("Ann of East", "East", True, ("a", "b"), ("rep",)) == (
        ann.name, ann.team_id, ann.active, ann.skills, ann.roles,
    )  # fmt: skip
    assert ("Bob", None, False) == (bob.name, bob.team_id, bob.active)
    assert ("person", "A", "Ann", "10-49", ("imported",)) == (
        customer.kind, customer.level, customer.owner_id, customer.size, customer.tags,
    )  # fmt: skip
    assert datetime(2026, 1, 2, 5, tzinfo=UTC) == customer.first_contact_at
    assert (Region("浙江省", "杭州市"), {"seats": 3}, Money.of(1500, "JPY")) == (
        customer.region, customer.extra, customer.budget_low,
    )  # fmt: skip
    assert "1980-02-01" == str(customer.birth_date)
    assert clock() == customer.owned_since


DEAL_HEAD = "no,sku,stage,opened,offered,closed,amount,why\n"


def test_dates_become_history(folder: Folder) -> None:
    """Each date is a stage entered on that day, and the last one is where the deal stands."""
    folder.file("products.csv", "sku\nA\n")
    folder.file(
        "deals.csv",
        DEAL_HEAD
        + "1,A,Won,2025-01-01,2025-02-01,2025-03-01,10,\n"
        + "2,A,Lost,2025-01-01,2025-02-01,2025-03-01,,too dear\n"
        + "3,,Offer,,2025-02-01,,,\n"
        + "4,,New,,,,,\n",
    )

    assert Counts(rows=5, added=5) == folder.bring(DEALS).counts

    with folder.work() as work:
        found = {one.name: one for one in work.opportunities.stream()}
        stays = {
            name: [(stay.stage, stay.kind) for stay in work.opportunities.history(one)]
            for name, one in found.items()
        }
        lines = work.opportunities.lines.of(found["1"].id)
    assert {
        "1": [("initial_contact", "entered"), ("proposal", "skipped"), ("paid", "won")],
        "2": [("initial_contact", "entered"), ("proposal", "skipped"), ("lost", "lost")],
        "3": [("proposal", "entered")],
        "4": [("initial_contact", "entered")],
    } == stays
    assert ["paid", "proposal", "proposal", "initial_contact"] == [found[n].furthest_stage for n in "1234"]
    assert [("won", 100), ("lost", 0), ("open", 50), ("open", 10)] == [
        (found[n].status, found[n].probability) for n in "1234"
    ]
    assert ("too dear", None) == (found["2"].lost_reason, found["1"].lost_reason)
    assert datetime(2025, 2, 28, 16, tzinfo=UTC) == found["1"].closed_at == found["1"].stage_entered_at
    assert datetime(2026, 1, 30, 16, tzinfo=UTC) == found["4"].opened_at
    assert [Money.of(10, "USD")] == [line.amount for line in lines]


def test_a_history_that_can_not_be_is_refused(folder: Folder) -> None:
    """A stage that is none, dates missing or out of order, and a date of a stage that the deal never got to."""
    folder.file("products.csv", "sku\nA\n")
    folder.file(
        "deals.csv",
        DEAL_HEAD
        + "1,A,Maybe,,,,,\n"
        + "2,A,Won,2025-01-01,,,,\n"
        + "3,A,Won,2025-03-01,,2025-02-01,,\n"
        + "4,A,New,2025-01-01,2025-02-01,,,\n"
        + "5,B,New,,,,,\n"
        + "6,A,Offer,,02/01/2025,,,\n",
    )

    result = folder.bring(DEALS)

    assert [
        (2, "stage", "Maybe"),
        (3, "closed", ""),
        (4, "closed", "2025-02-01"),
        (5, "offered", "2025-02-01"),
        (6, "sku", "B"),
        (7, "offered", "02/01/2025"),
    ] == sorted(told(result), key=lambda one: one[0])
    reasons = {row.line: row.reason for row in result.refused}
    assert "expected a date: when it was won" == reasons[3]
    assert "expected a date not before 2025-03-01" == reasons[4]


def test_an_update_moves_deals_on_and_never_back(folder: Folder) -> None:
    """The file may know of a later stage; where we know of one, ours stays."""
    folder.file("products.csv", "sku\nA\nB\n")
    folder.file("deals.csv", DEAL_HEAD + "1,A,New,2025-01-01,,,5,\n2,A,New,2025-01-01,,,5,\n")
    folder.bring(DEALS)
    with folder.work() as work:
        work.opportunities.move(work.opportunities.find(F.name == "2")[0], "needs_analysis")

    folder.file(
        "deals.csv", DEAL_HEAD + "1,B,Won,2025-01-01,,2025-02-01,7,\n2,A,Offer,2025-01-01,2025-02-01,,8,\n"
    )
    result = folder.bring(DEALS, update=True)

    assert Counts(rows=4, updated=2, unchanged=2) == result.counts
    with folder.work() as work:
        one, two = (work.opportunities.find(F.name == name)[0] for name in "12")
        assert ["initial_contact", "paid"] == [stay.stage for stay in work.opportunities.history(one)]
        assert ["initial_contact", "needs_analysis"] == [
            stay.stage for stay in work.opportunities.history(two)
        ]
        line = work.opportunities.lines.of(one.id)[0]
        assert ("paid", "needs_analysis", Money.of(8, "USD")) == (one.stage, two.stage, two.amount)
        assert ("B", Money.of(7, "USD")) == (work.products.get(line.product_id).name, line.amount)
    assert Counts(rows=4, unchanged=4) == folder.bring(DEALS, update=True).counts


PIPELINE = """
    [[pipelines]]
    key = "short"
    en = "Short"
    zh = "短流程"
    stages = [
        { key = "new", en = "New", zh = "新", probability = 10 },
        { key = "won", en = "Won", zh = "成交", kind = "won" },
    ]
"""


def test_a_plans_pipeline_is_remembered_with_its_deals(folder: Folder) -> None:
    """Who opens the store later can read the funnel, without the plan."""
    plan = dedent(DEALS).replace('"standard"', '"short"').replace('"initial_contact"', '"new"')
    plan = plan.replace('"proposal"', '"new"').replace('"paid"', '"won"').replace('"lost"', '"new"')
    plan = (
        plan.replace("initial_contact =", "new =").replace("proposal =", "won =").split("paid =")[0]
        + "}\n"
        + ("undated = 2026-01-31\n" + dedent(PIPELINE))
    )
    plan = plan.replace(", }", " }")
    folder.file("products.csv", "sku\nA\n")
    folder.file("deals.csv", DEAL_HEAD + "1,A,New,,,,,\n2,A,Won,,2025-01-01,,5,\n")

    folder.bring(plan)

    with folder.work() as work, pytest.raises(InvalidValue):
        work.reports.funnel("short")
    with recall(folder.crm, by="host").begin(by="host") as work:
        assert [("new", 2), ("won", 1)] == [
            (stage.stage, stage.reached) for stage in work.reports.funnel("short").stages
        ]


def test_progress_and_refusals_are_told_as_they_come(folder: Folder) -> None:
    """Up to the last byte; every refused row, however many are kept."""
    folder.file("customers.csv", HEAD + "".join(f"{n},C,,{'x' if n % 2 else ''},\n" for n in range(10)))
    progress: list[Progress] = []
    refused: list[RefusedRow] = []

    import_files(
        folder.crm,
        loads_plan(dedent(CUSTOMERS)),
        folder.path,
        by="host",
        progress=progress.append,
        refused=refused.append,
        batch=4,
    )

    assert [4, 8, 10] == [one.rows for one in progress]
    assert progress[-1].done == progress[-1].size == (folder.path / "customers.csv").stat().st_size
    assert 5 == len(refused)


def test_the_result_is_data(folder: Folder) -> None:
    folder.file("customers.csv", HEAD + "1,Acme,,x,\n")
    plain = folder.bring(CUSTOMERS).to_plain()
    assert ("test", 1, 0, 1) == (plain["import"], plain["rows"], plain["added"], plain["refused"])
    assert [
        {
            "records": "customers",
            "file": "customers.csv",
            "line": 2,
            "column": "founded",
            "value": "x",
            "reason": "expected a number, such as 1234.5 or 1,234.5",
        }
    ] == plain["refused_rows"]


def test_tenants_import_the_same_files(tmp_path: Path, clock: Clock) -> None:
    """The ids are derived from the source, and each tenant has its own records under them."""
    with salescrm.connect("memory://", clock=clock, multi_tenant=True) as crm:
        for tenant in ("a", "b"):
            folder = Folder(tmp_path, crm.for_tenant(tenant))
            folder.file("customers.csv", HEAD + "1,Acme,,,\n")
            assert 1 == folder.bring(CUSTOMERS).counts.added


def _problems(folder: Folder, plan: str) -> tuple[str, ...]:
    with pytest.raises(InvalidDefinition) as refusal:
        folder.bring(plan)
    return refusal.value.problems


def test_everything_wrong_in_a_plan_is_told_at_once(folder: Folder) -> None:
    """Where it is, and what may have been meant; nothing is written."""
    told = _problems(
        folder,
        """
        nam = "x"
        on_repeat = "replace"
        [[records]]
        name = "customers"
        file = "customers.csv"
        entity = "Costumer"
        key = "no"
        fields.name = { colum = "name" }
        [[records]]
        name = 3
        """,
    )

    assert {
        "there is no setting nam; nearest: name",
        "name: this is missing",
        "on_repeat: one of skip, update is wanted, not 'replace'",
        "records[1].entity: one of Team, Member, Product, Customer, Contact, Opportunity is wanted, not 'Costumer'",
        "records[1].fields.name: there is no setting colum; nearest: column, columns",
        "records[2].name: expected str, not 3",
        "records[2].key: this is missing",
    } <= set(told)
    with folder.work() as work:
        assert 0 == work.history.count()


def test_a_plan_must_fit_its_files(folder: Folder) -> None:
    """Columns, fields, references, maps, currencies, zones: all of it before the first row is read."""
    folder.file("customers.csv", HEAD)
    folder.file("deals.csv", "no,no\n")
    told = _problems(
        folder,
        """
        name = "bad"
        currency = "XXX"
        time_zone = "Mars/Olympus"
        [[records]]
        name = "customers"
        file = "customers.csv"
        entity = "Customer"
        key = "number"
        id = "key"
        [records.fields]
        name = { column = "nam", value = "x" }
        industri = "industry"
        version = "no"
        owner_id = "no"
        parent_id = { column = "no", refers = "customer" }
        founded_year = { column = "founded", map = "years" }
        key_dates = "founded"
        "region.country" = "name"
        "name.first" = "name"
        budget_low = { column = "revenue", currency = "EURO" }
        [[records]]
        name = "deals"
        file = "deals.csv"
        entity = "Opportunity"
        key = "no"
        fields.stage = "no"
        [[records]]
        name = "gone"
        file = "gone.csv"
        entity = "Product"
        key = "no"
        fields.name = "no"
        [records.history]
        pipeline = "standart"
        stage = "no"
        dates = {}
        """,
    )  # fmt: skip

    assert {
        "currency is 'XXX'; an active ISO 4217 code such as CNY is wanted",
        "time_zone is 'Mars/Olympus'; an IANA name such as Asia/Shanghai is wanted",
        "customers: key: customers.csv has no column number; nearest: name",
        "customers: only members and teams may have their key as their id",
        "customers: name: a column or a constant value is wanted, one of the two",
        "customers: name: customers.csv has no column nam; nearest: name",
        "customers: industri: Customer has no such field; nearest: industry, kind",
        "customers: version: this follows from the rest and can't be filled",
        "customers: owner_id: say which records it refers to (refers = …)",
        "customers: parent_id: no records customer come before these; nearest: customers",
        "customers: founded_year: there is no map years; nearest: none",
        "customers: key_dates: no cell can hold a value of kind nested",
        "customers: region.country: Customer.region has no country; nearest: city",
        "customers: name.first: Customer.name has no parts",
        "customers: budget_low: 'EURO' is no currency",
        "deals.csv: two columns have the same name: no",
        "deals: opportunities need a history, which says what stage they are in",
        "deals: stage: this follows from the rest and can't be filled",
        "deals: Opportunity.name must have a value, and no column or constant gives one",
        "gone: gone.csv can't be read: No such file or directory",
        "gone: a Product has no history and no lines",
        "gone: history: there is no pipeline standart; nearest: standard, status",
    } == set(told)
    with folder.work() as work:
        assert 0 == work.history.count()


def test_settings_of_a_plan_are_checked(folder: Folder) -> None:
    folder.file("customers.csv", HEAD)
    told = _problems(folder, 'encoding = "utf-9"\ndelimiter = ";;"\n' + dedent(CUSTOMERS))
    assert "encoding is 'utf-9'; a name such as utf-8, gb18030 or cp1252 is wanted" in told
    assert "delimiter is ';;'; one character is wanted" in told


def test_a_plan_that_is_no_toml_is_told(folder: Folder) -> None:
    assert _problems(folder, "name =")[0].startswith("this is no TOML: ")


def test_an_empty_file_is_told(folder: Folder) -> None:
    """As is one without a line that names the columns; one without rows is fine."""
    folder.file("customers.csv", "")
    assert "customers.csv: the file is empty; a first line that names the columns is wanted" in _problems(
        folder, CUSTOMERS
    )
    folder.file("customers.csv", HEAD)
    assert Counts() == folder.bring(CUSTOMERS).counts
