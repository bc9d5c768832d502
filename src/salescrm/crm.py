"""
The front door: `Crm` from an address or a host's engine, `Work` for what one does in it.

Work is the unit of work with one typed attribute per service.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, TypeVarTuple

import attrs

from salescrm.access import Access, Everyone
from salescrm.calendars import Calendar
from salescrm.catalog import schemas as all_schemas
from salescrm.checking import Checker
from salescrm.checking.cursors import Cursors
from salescrm.connecting import backend_for
from salescrm.errors import InvalidValue, Misconfigured, TenantRequired
from salescrm.hooks import Hooks
from salescrm.numbers import Numbers
from salescrm.outbox import deliver
from salescrm.policy import Policies, Policy
from salescrm.running import repeat
from salescrm.unit import Kit, UnitOfWork
from salescrm.values import Id, IdMaker, Moment, clean_text, moment

if TYPE_CHECKING:
    from salescrm.reports import Reports
    from salescrm.services.approvals import ApprovalService
    from salescrm.services.assignments import AssignmentService
    from salescrm.services.contacts import ContactService
    from salescrm.services.customers import CustomerService
    from salescrm.services.follow_ups import FollowUpService
    from salescrm.services.history import HistoryService
    from salescrm.services.members import MemberService, TeamService
    from salescrm.services.opportunities import OpportunityService
    from salescrm.services.pools import PoolService
    from salescrm.services.products import ProductService
    from salescrm.services.recycling import Ran
    from salescrm.services.transfers import TransferService
    from salescrm.storage import Capabilities, Store

__all__ = ["Crm", "Work", "connect"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: The tenant of a host that has only one and never mentions it.
MAIN: Final = Id("main")


class Work(UnitOfWork):
    """
    One transaction of one member, with a typed attribute per service; a context manager.

    A service is loaded when it is first used: an import of salescrm costs a program that sells nothing little.

    An owned one commits on clean exit and rolls back on error; a joined one leaves both to the host.
    """

    @property
    def members(self) -> MemberService:
        """Who works here."""
        from salescrm.services.members import MemberService

        return self.service(MemberService)

    @property
    def teams(self) -> TeamService:
        """The tree of teams."""
        from salescrm.services.members import TeamService

        return self.service(TeamService)

    @property
    def customers(self) -> CustomerService:
        """Companies and persons who buy or may buy."""
        from salescrm.services.customers import CustomerService

        return self.service(CustomerService)

    @property
    def contacts(self) -> ContactService:
        """The people one reaches at a customer."""
        from salescrm.services.contacts import ContactService

        return self.service(ContactService)

    @property
    def products(self) -> ProductService:
        """What is sold."""
        from salescrm.services.products import ProductService

        return self.service(ProductService)

    @property
    def opportunities(self) -> OpportunityService:
        """Deals and their stages."""
        from salescrm.services.opportunities import OpportunityService

        return self.service(OpportunityService)

    @property
    def follow_ups(self) -> FollowUpService:
        """What is planned with customers, and what became of it."""
        from salescrm.services.follow_ups import FollowUpService

        return self.service(FollowUpService)

    @property
    def pools(self) -> PoolService:
        """The customers that nobody owns, and how they come and go."""
        from salescrm.services.pools import PoolService

        return self.service(PoolService)

    @property
    def assignments(self) -> AssignmentService:
        """Who gets which customers, by rule or as a manager says."""
        from salescrm.services.assignments import AssignmentService

        return self.service(AssignmentService)

    @property
    def transfers(self) -> TransferService:
        """Customers that change hands, one by one or all that a leaving member has."""
        from salescrm.services.transfers import TransferService

        return self.service(TransferService)

    @property
    def approvals(self) -> ApprovalService:
        """What waits for somebody's approval."""
        from salescrm.services.approvals import ApprovalService

        return self.service(ApprovalService)

    @property
    def history(self) -> HistoryService:
        """The change log and the events."""
        from salescrm.services.history import HistoryService

        return self.service(HistoryService)

    @property
    def reports(self) -> Reports:
        """Questions with numbers."""
        from salescrm.reports import Reports

        return self.service(Reports)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(commit=error is None)


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Crm:
    """
    The CRM of one tenant over one backend; made by `connect`, safe to share between threads.

    A context manager that closes what it opened itself.
    """

    kit: Kit
    #: The chosen tenant; None in a multi-tenant Crm before one is chosen.
    tenant: Id | None

    @property
    def policy(self) -> Policy:
        """The host's rules as data, in the version that holds now."""
        return self.kit.policies.at(self.kit.clock())

    @property
    def capabilities(self) -> Capabilities:
        """What this Crm's backend can do beyond the contract, or can't."""
        return self.kit.backend.capabilities

    @property
    def hooks(self) -> Hooks:
        """This Crm's plugins: ``crm.hooks.register(plugin)``."""
        return self.kit.hooks

    def for_tenant(self, tenant: str) -> Crm:
        """The same Crm, seeing *tenant*'s records only; letters, digits and ``_ . -``, up to 64 characters."""
        return attrs.evolve(self, tenant=_tenant(tenant))

    def begin(self, *, by: str) -> Work:
        """A unit of work of the member *by* in a transaction of its own: ``with crm.begin(by="li") as work:``."""
        return self._work(self.kit.backend.open(self._chosen()), by, owned=True)

    def join(self, handle: object, *, by: str) -> Work:
        """
        A unit of work inside the host's open transaction: never committed, rolled back or closed by us.

        *handle* is a SQLAlchemy Session or Connection (or their async twins, inside `AsyncCrm.run`), a PyMongo
        ClientSession with a transaction in progress, or another Work.

        Raises:
            Misconfigured: The backend can't join this.
        """
        tenant = self._chosen()
        if not isinstance(handle, UnitOfWork):
            return self._work(self.kit.backend.join(handle, tenant), by, owned=False)
        if handle.kit.backend is not self.kit.backend or handle.tenant != tenant:
            raise Misconfigured("this Work is on another backend or tenant", "join a Work of the same Crm")
        return self._work(handle.reading(), by, owned=False, outer=handle)

    def _work(self, store: Store, by: str, *, owned: bool, outer: UnitOfWork | None = None) -> Work:
        member = Id(clean_text(by, entity="Work", field="by", limit=64))
        if not member.strip():
            raise InvalidValue("Work", "by", by, "the id of the member who acts")
        return Work(self.kit, store, member=member, owned=owned, outer=outer)

    def _chosen(self) -> Id:
        if self.tenant is None:
            raise TenantRequired
        return self.tenant

    def run(
        self,
        function: Callable[[Work, *Ts], T],
        *arguments: *Ts,
        by: str,
        key: str | None = None,
        attempts: int = 10,
    ) -> T:
        """
        What *function* returns, run in a unit of work of its own, and run again whole where somebody else was first.

        It is repeated on StaleWrite and on transient engine errors, up to *attempts* times, with a growing pause; so it
        must do nothing outside the Work that may not happen twice.  With an idempotency *key* it is carried out once:
        a second call with the same key returns what the first one did; *function* then returns None, JSON-able data
        without fractions, a record or a tuple of records.  A record comes back as it is at the second call.

        Raises:
            StaleWrite, Transient: Also at the last try.
            InvalidValue: A blank key or one of more than 64 characters, a result that no key can keep, no attempts.
            NotFound: The record that a key's first call returned is gone.
        """
        return repeat(
            self.kit,
            lambda: self.begin(by=by),
            lambda work: function(work, *arguments),
            key=key,
            attempts=attempts,
        )

    def dispatch(self, *, limit: int = 500) -> int:
        """
        Delivers up to *limit* due events to the plugins' ``event_committed``, at least once each; how many there were.

        Any number of workers may call it at the same time. A host's scheduler calls it to pick up what a process that
        died has left, and what was written in transactions of the host's own; for each tenant, where there are many.
        Where no plugin listens nothing is delivered: the events wait for a process in which one does.
        """
        return deliver(self.kit, self._chosen(), limit=limit)

    def tick(self) -> Ran:
        """
        Does what is due by the calendar: customers fall into their pools, owners are warned; what that came to.

        A host's scheduler calls it, at least once a day; again and again, or by several processes at once, does nothing
        twice.  After missed days it does what those days would have done.  For each tenant, where there are many.

        Raises:
            InvalidDefinition: A pool that is closed, or gone from the policy, still holds customers; nothing was run.
        """
        from salescrm.services.ticking import tick

        return tick(self.kit, self._chosen())

    def migrate(self) -> None:
        """Brings tables and indexes to this version; safe to call again, and by several processes at once."""
        self.kit.backend.migrate()

    def verify(self) -> None:
        """Raises SchemaOutdated unless `migrate` has nothing to do."""
        self.kit.backend.verify()

    def close(self) -> None:
        """Frees what this Crm opened itself; a host's engine or client stays open."""
        self.kit.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Crm of {self.tenant or 'no tenant yet'} over {type(self.kit.backend).__name__}>"


def _tenant(tenant: str) -> Id:
    allowed = isinstance(tenant, str) and 0 < len(tenant) <= 64
    if not allowed or not all(c.isascii() and (c.isalnum() or c in "_.-") for c in tenant):
        raise InvalidValue("Crm", "tenant", tenant, "1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return Id(tenant)


def connect(
    engine: object,
    *,
    policy: Policy | Iterable[Policy] | None = None,
    tenant: str = MAIN,
    multi_tenant: bool = False,
    plugins: Iterable[object] = (),
    entry_points: bool = False,
    access: Access | None = None,
    calendars: Mapping[str, Calendar] = MappingProxyType({}),
    clock: Callable[[], datetime] = _now,
    ids: Callable[[Moment], Id] | None = None,
    random: Callable[[], float] = random.random,
    sleep: Callable[[float], None] = time.sleep,
    cursor_key: bytes = b"salescrm",
    asynchronous: bool = False,
    **options: Any,
) -> Crm:
    """
    A Crm over *engine*: an address, or an engine or client of the host's.

    Args:
        engine: ``memory://``, ``sqlite:///crm.db``, ``postgresql+psycopg://…``, ``mysql+pymysql://…``, ``mongodb://…``,
            a SQLAlchemy Engine, or a PyMongo MongoClient.
        policy: The host's rules, or several versions of them, each with the moment from which it holds; the defaults
            where it is None.
        tenant: Whose records; a host with one tenant never mentions it.
        multi_tenant: No tenant is chosen yet: choose with `Crm.for_tenant`; until then everything is refused.
        plugins: Objects whose functions carry `hookimpl`.
        entry_points: Also registers installed plugins of the group ``salescrm.plugins``.
        access: Who may do what; everybody may do everything where it is None.
        calendars: Working calendars by the key that rules of the policy name them by, before those of the policy itself.
        clock: Gives the present moment, aware.
        ids: Makes a new id at a moment; time-ordered UUIDv7 where it is None.
        random: A number from 0 up to 1, for pauses between tries.
        sleep: Waits that many seconds.
        cursor_key: Signs page cursors; the same in every process of a host that hands them to strangers.
        asynchronous: Opens an address with the driver that can be awaited; `salescrm.aio.connect` says it.
        options: For the backend: ``prefix=`` for the names of tables or collections, ``schema=`` (SQL), ``database=`` (MongoDB).

    Raises:
        Misconfigured: An unknown address, or a package that is not installed.
        InvalidDefinition: Versions of a policy, or plugins, that don't go together; a working calendar that is not there.
    """
    policies = Policies([policy or Policy()] if policy is None or isinstance(policy, Policy) else policy)
    policies.check_calendars(calendars)
    schemas = all_schemas(policies.extra_kinds)
    hooks = Hooks()
    for plugin in plugins:
        hooks.register(plugin)
    if entry_points:
        hooks.load_entry_points()
    kit = Kit(
        backend=backend_for(engine, tuple(schemas.values()), options, asynchronous=asynchronous),
        schemas=schemas,
        by_record={schema.record: schema for schema in schemas.values()},
        checker=Checker(schemas, Cursors(cursor_key)),
        policies=policies,
        calendars=dict(calendars),
        access=access or Everyone(),
        hooks=hooks,
        numbers=Numbers(),
        clock=lambda: moment(clock(), entity="Crm", field="clock"),
        new_id=ids or IdMaker(),
        sleep=sleep,
        random=random,
    )
    return Crm(kit=kit, tenant=None if multi_tenant else _tenant(tenant))
