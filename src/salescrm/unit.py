"""
UnitOfWork: one transaction's belongings, and what services stand on.

A store, the acting member, the tenant, one moment that is *now* throughout, the policy, access, hooks; what is written
goes through `repository`, which adds the change-log entry and the events to the same transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from datetime import date, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast
from weakref import WeakSet

import attrs

from salescrm.access import Access
from salescrm.calendars import Calendar
from salescrm.checking import Checker, Context
from salescrm.entities import Record
from salescrm.entities.base import RecordT
from salescrm.errors import StoreError, WorkEnded
from salescrm.hooks import Hooks
from salescrm.meaning import Test, condition
from salescrm.query import Where
from salescrm.schema import Schema
from salescrm.storage import Backend, Store, Write
from salescrm.values import Id, Moment

if TYPE_CHECKING:
    from salescrm.numbers import Numbers
    from salescrm.policy import Policies, Policy, Pool
    from salescrm.repository import Repository

__all__ = ["Kit", "UnitOfWork"]

S = TypeVar("S")
#: How many checked questions a Work keeps at hand.
_ANSWERS: Final = 1_000


@attrs.frozen(kw_only=True, eq=False)
class Kit:
    """What all units of work of one Crm share; no state of any one of them."""

    backend: Backend
    schemas: Mapping[str, Schema]
    by_record: Mapping[type[Record], Schema]
    checker: Checker
    policies: Policies
    calendars: Mapping[str, Calendar]
    access: Access
    hooks: Hooks
    numbers: Numbers
    clock: Callable[[], Moment]
    new_id: Callable[[Moment], Id]
    sleep: Callable[[float], None]
    random: Callable[[], float]


class UnitOfWork:
    """
    One transaction and who acts in it.

    Attributes:
        member: The id of the member who acts.
        tenant: Whose records these are.
        owned: Whether the transaction is ours to commit; otherwise it is the host's.
    """

    def __init__(
        self, kit: Kit, store: Store, *, member: Id, owned: bool, outer: UnitOfWork | None = None
    ) -> None:
        self.kit = kit
        self.store = store
        self.member = member
        self.owned = owned
        self.tenant = Id(store.tenant)
        now = kit.clock()
        self.policy = kit.policies.at(now)
        self.context = Context(now, self.policy.zone)
        #: The outbox rows written here that a plugin waits for; told after our own commit, by `outbox` after a host's.
        self.told: list[Id] = outer.told if outer is not None else []
        #: Running numbers taken in this very transaction, by series; see `numbers`.
        self.blocks: dict[str, deque[range]] = outer.blocks if outer is not None else {}
        #: Whose turns this very transaction holds; see `Claimers.take_turns`.
        self.turns: set[Id] = outer.turns if outer is not None else set()
        self._outer = outer
        #: What waits for our own commit, in order; None where the commit is the host's.
        self.effects: list[Callable[[], None]] | None = (
            outer.effects if outer is not None else [] if owned else None
        )
        #: Whether everything here is committed, by us: nothing that goes wrong from then on may be tried again.
        self.committed = False
        #: How many times something was written; see `whole`.
        self.written = 0
        self._ended: str | None = None
        self._repositories: dict[type[Record], Repository[Record]] = {}
        self._unscoped: dict[type[Record], Repository[Record]] = {}
        self._services: dict[Callable[..., Any], Any] = {}
        #: What `holds` has found out about questions.
        self._answers: dict[tuple[type, int, int], tuple[Test, Sequence[Any], Where, Context]] = {}

    def now(self) -> Moment:
        """The moment of this Work: the same from its first call to its last."""
        return self.context.now

    @cached_property
    def today(self) -> date:
        """The day of this Work in the policy's time zone."""
        return self.context.now.astimezone(self.context.zone).date()

    @property
    def zone(self) -> tzinfo:
        """The policy's time zone, in which days begin."""
        return self.context.zone

    def zone_of(self, pool: Pool) -> tzinfo:
        """The time zone in which the days of *pool* begin."""
        return self.policy.zone_of(pool)

    def calendar(self, key: str) -> Calendar:
        """The working calendar called *key*: the host's own, else the one of the policy in force.

        Raises:
            InvalidValue: There is none.
        """
        return self.calendars_of(self.policy)(key)

    def calendars_of(self, policy: Policy) -> Callable[[str], Calendar]:
        """The working calendars by key: the host's own, else those of *policy*, which may be another version."""
        given = self.kit.calendars
        return lambda key: given[key] if key in given else policy.calendar(key)

    def new_id(self) -> Id:
        """A new time-ordered id (UUIDv7)."""
        return self.kit.new_id(self.context.now)

    def repository(self, entity: type[RecordT]) -> Repository[RecordT]:
        """The typed door to the records of *entity*, scoped to what the acting member may see."""
        found = self._repositories.get(entity)
        if found is None:
            from salescrm.repository import Repository

            found = self._repositories[entity] = Repository(self, entity)
        return found  # type: ignore[return-value]  # the repository of just this entity

    def unscoped(self, entity: type[RecordT]) -> Repository[RecordT]:
        """
        The same door to all records of *entity*, whoever acts: for what must hold, or follows, for everybody.

        Nothing that it gives may reach the acting member.
        """
        found = self._unscoped.get(entity)
        if found is None:
            from salescrm.repository import Repository

            found = self._unscoped[entity] = Repository(self, entity, scoped=False)
        return found  # type: ignore[return-value]  # the repository of just this entity

    def service(self, kind: Callable[[Self], S]) -> S:
        """The one service of *kind* in this Work: ours, or a host's own class that takes a Work."""
        found = self._services.get(kind)
        if found is None:
            found = self._services[kind] = kind(self)
        return cast(S, found)

    def reading(self) -> Store:
        """The store, to read from.

        Raises:
            WorkEnded: This unit of work is over.
        """
        if self._ended is not None:
            raise WorkEnded(self._ended)
        return self.store

    def holds(self, record: Record, where: Where, *, context: Context | None = None) -> bool:
        """
        Whether *where* holds for *record* as it stands in the caller's hands, stored like this or not.

        Relative moments are those of *context*, if given.
        """
        context = context or self.context
        # By identity: the same questions of a policy are asked again and again, of hundreds of records, and to check one
        # anew, or to hash it, costs three times what its answer does.  What is kept here keeps its identity.
        key = (type(record), id(where), id(context))
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= _ANSWERS:
                self._answers.clear()
            schema = self.kit.by_record[type(record)]
            asked = self.kit.checker.all(schema, where, (), context)
            found = (condition(schema, asked.plan.where), asked.values, where, context)
            self._answers[key] = found
        test, values, *_ = found
        return test(record, values, self.reading().get)

    def write(self, *writes: Write) -> None:
        """Does *writes*, all or none; a failure ends this unit of work, for nobody may commit half of one."""
        store = self.reading()
        if writes:
            self.wrote()
        try:
            store.write(*writes)
        except BaseException:
            self.fail()
            raise

    def wrote(self) -> None:
        """Notes that something was written, here and in the unit of work that this one joined."""
        self.written += 1
        if self._outer is not None:
            self._outer.wrote()

    @property
    def takes_back(self) -> bool:
        """Whether what was written here is surely gone if this unit of work fails: no host could commit it all the same."""
        return self.effects is not None and self.kit.backend.capabilities.transactions

    def fail(self) -> None:
        """Ends this unit of work without a commit: something in it went wrong after it had begun to write."""
        self._ended = "a write failed"
        if self._outer is not None:
            self._outer.fail()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """
        Runs *effect* once everything here is safely committed, by us or by the host; never after a rollback.

        Effects run in the order they were given.  One that fails after our own commit keeps no other from running; the
        first error then reaches whoever ended this unit of work, which stays committed.  In a host's transaction on
        MongoDB they wait until the host calls ``store.host_committed()``, for its driver tells nobody.
        """
        store = self.reading()
        if self.effects is None:
            store.after_commit(effect)
        else:
            self.effects.append(effect)

    def finish(self, *, commit: bool) -> None:
        """
        Ends an owned unit of work by a commit or a rollback; a joined one leaves both to the host.

        Raises:
            WorkEnded: A write had failed, so there is nothing whole to commit; it was rolled back.
            StoreError, Conflict: The store could not commit; it was rolled back, as far as can be known.
        """
        ended, self._ended = self._ended, "it was committed" if commit else "it was rolled back"
        # They know this Work as it knows them: left so, each Work would wait for the cyclic collector.
        self._services.clear()
        self._repositories.clear()
        self._unscoped.clear()
        if not self.owned:
            if ended is not None and commit:
                raise WorkEnded(ended)
            return
        if not commit or ended is not None:
            with suppress(StoreError):  # it is given up anyway
                self._close_streams()
            self.store.rollback()
            if ended is not None and commit:
                raise WorkEnded(ended)
            return
        try:
            self._close_streams()
            self.store.commit()
        except BaseException:
            self.store.rollback()  # gives back what the store still holds
            raise
        self.committed = True
        self._follow()

    @cached_property
    def streams(self) -> WeakSet[Generator[object]]:
        """What is still being read: it holds the transaction's connection, which somebody else has next."""
        return WeakSet() if self._outer is None else self._outer.streams

    def _close_streams(self) -> None:
        for stream in vars(self).get("streams", ()):
            stream.close()

    def _follow(self) -> None:
        """What waited for our commit."""
        failed: Exception | None = None
        for effect in self.effects or ():
            try:
                effect()
            except Exception as problem:  # noqa: BLE001  # raised when all have had their turn
                failed = failed or problem
        if self.told:
            from salescrm.outbox import tell

            tell(self.kit, self.tenant, self.told)
        if failed is not None:
            raise failed
