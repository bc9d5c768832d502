"""
A host's say: hook specifications in three tenses, and their typed caller.

Before (gerunds) may refuse by raising `Refuse`, or change by returning another record; after (participles) runs in the
same transaction; ``event_committed`` runs when everything is safe and can undo nothing.
One plugin manager per Crm, none global.  Where no plugin implements a hook, calling it is one look at an empty tuple.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from salescrm.entities import Customer, Opportunity, OutboxEvent, Record
from salescrm.errors import HookRefused, InvalidDefinition

if TYPE_CHECKING:
    from salescrm.events import Event
    from salescrm.rules.assigning import Candidate, Item
    from salescrm.unit import UnitOfWork
    from salescrm.values import Id

__all__ = ["ENTRY_POINTS", "Hooks", "Refuse", "Specification", "hookimpl"]

#: The entry point group in which installed plugins are found.
ENTRY_POINTS = "salescrm.plugins"

_spec = pluggy.HookspecMarker("salescrm")
#: Marks a plugin's functions: ``@hookimpl def adding_record(work, record): …``.
hookimpl = pluggy.HookimplMarker("salescrm")

R = TypeVar("R", bound=Record)


class Refuse(Exception):  # said by a plugin: "raise Refuse(...)"
    """Raised by a plugin in a before-hook: no, because of *reason*. The Work ends; its caller gets HookRefused."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Specification:
    """Every hook there is. A plugin implements any of them and takes any of their arguments by name."""

    @_spec
    def adding_record(self, work: UnitOfWork, record: Record) -> Record | None:
        """Before *record* is added: return another to add it instead, raise Refuse to prevent it."""

    @_spec
    def saving_record(self, work: UnitOfWork, before: Record, after: Record) -> Record | None:
        """Before *after* takes the place of *before*: return another to save it instead, raise Refuse to prevent it."""

    @_spec
    def removing_record(self, work: UnitOfWork, record: Record) -> None:
        """Before *record* is removed: raise Refuse to prevent it."""

    @_spec
    def moving_opportunity(
        self, work: UnitOfWork, opportunity: Opportunity, to: str, note: str | None
    ) -> None:
        """Before *opportunity* moves to the stage *to*: raise Refuse to prevent it."""

    @_spec
    def recycling_customer(self, work: UnitOfWork, customer: Customer, pool: str, rule: str) -> bool | None:
        """Before *customer* falls into *pool* by *rule*: return False to keep it with its owner for this day."""

    @_spec
    def choosing_assignee(self, work: UnitOfWork, item: Item, candidates: Sequence[Candidate]) -> str | None:
        """
        Before *item* is given to one of *candidates*: return the id of whoever gets it, None for "as the strategy says".

        The first answer that is not None decides.  It is asked in dry runs too, so it says who and does nothing.
        """

    @_spec
    def transferring_customer(self, work: UnitOfWork, customer: Customer, to: Id, reason: str | None) -> None:
        """Before *customer* is transferred from its owner to the member *to*: raise Refuse to prevent it, for all of them."""

    @_spec
    def record_added(self, work: UnitOfWork, record: Record) -> None:
        """After *record* was added, in the same transaction."""

    @_spec
    def record_saved(self, work: UnitOfWork, before: Record, after: Record) -> None:
        """After *after* was saved, in the same transaction."""

    @_spec
    def record_removed(self, work: UnitOfWork, record: Record) -> None:
        """After *record* was removed, in the same transaction."""

    @_spec
    def event_happened(self, work: UnitOfWork, event: Event) -> None:
        """After *event* was recorded, in the same transaction; it is not committed yet and may still be rolled back."""

    @_spec
    def event_committed(self, event: OutboxEvent) -> None:
        """
        After the commit, at least once per event; its id tells repeats apart.

        An exception here puts the event back, to be delivered again later; after the last attempt it is parked.
        """


class Hooks:
    """The plugins of one Crm, and a typed call for each hook."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("salescrm")
        self._manager.add_hookspecs(Specification)
        self._resolve()

    def register(self, plugin: object, name: str | None = None) -> None:
        """Adds *plugin*, a module or object whose functions carry `hookimpl`.

        Raises:
            InvalidDefinition: It names a hook or an argument that isn't there, or wraps one; it is then not registered.
        """
        try:
            self._manager.register(plugin, name or self._name(plugin))
            self._manager.check_pending()
            self._resolve()
        except (pluggy.PluginValidationError, ValueError) as problem:
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
                self._resolve()
            if isinstance(problem, InvalidDefinition):
                raise
            raise InvalidDefinition("Plugin", (str(problem),)) from problem

    def _name(self, plugin: object) -> str:
        """What an unnamed *plugin* is called in a refusal: its module or class, with a number where that is taken."""
        called = getattr(plugin, "__name__", None) or type(plugin).__name__
        taken = sum(
            name == called or name.startswith(f"{called} ") for name, _ in self._manager.list_name_plugin()
        )
        return f"{called} {taken + 1}" if taken else called

    def load_entry_points(self) -> int:
        """Registers every installed plugin of the group `ENTRY_POINTS`; how many there were.

        Raises:
            InvalidDefinition: One of them names a hook or an argument that isn't there, or wraps one.
        """
        try:
            found = self._manager.load_setuptools_entrypoints(ENTRY_POINTS)
            self._manager.check_pending()
        except pluggy.PluginValidationError as problem:
            raise InvalidDefinition("Plugin", (str(problem),)) from problem
        self._resolve()
        return found

    def _resolve(self) -> None:
        """Looks up once who listens to what: an empty hook must cost nothing per record."""
        callers = vars(self._manager.hook)
        self._listeners: dict[str, tuple[pluggy.HookImpl, ...]] = {
            name: tuple(reversed(caller.get_hookimpls())) for name, caller in callers.items()
        }
        wrapping = sorted(
            n for n, impls in self._listeners.items() if any(i.wrapper or i.hookwrapper for i in impls)
        )
        if wrapping:
            raise InvalidDefinition("Plugin", (f"wrappers are not supported: {', '.join(wrapping)}",))
        self.listens_to_records = any(
            self._listeners[name]
            for name in Specification.__dict__
            if "record" in name and name in self._listeners
        )
        self.listens_to_commits = bool(self._listeners["event_committed"])
        self.listens_to_recycling = bool(self._listeners["recycling_customer"])
        self.listens_to_assigning = bool(self._listeners["choosing_assignee"])
        self.listens_to_transfers = bool(self._listeners["transferring_customer"])
        self.listens_to_events = bool(self._listeners["event_happened"])
        #: Whether anybody must be asked about what is written, or told of it.
        self.listens = self.listens_to_records or self.listens_to_events or self.listens_to_commits

    def _call(self, hook: str, arguments: dict[str, Any]) -> Iterator[Any]:
        """Each listener's answer in turn; what it changes in *arguments* between two is up to the caller."""
        for listener in self._listeners[hook]:
            try:
                answer = listener.function(*[arguments[name] for name in listener.argnames])
            except BaseException as problem:
                if "work" in arguments:  # whatever its caller makes of this, nothing of it may be committed
                    arguments["work"].fail()
                if isinstance(problem, Refuse):
                    raise HookRefused(hook, listener.plugin_name, problem.reason) from problem
                raise
            yield answer

    def adding(self, work: UnitOfWork, record: R) -> R:
        """*record* as the plugins want it added."""
        return cast(R, self._changed("adding_record", {"work": work, "record": record}, "record"))

    def saving(self, work: UnitOfWork, before: R, after: R, *, settled: Iterable[str] = ()) -> R:
        """*after* as the plugins want it saved; fields that are *settled* stay as they are."""
        arguments = {"work": work, "before": before, "after": after}
        wanted = cast(R, self._changed("saving_record", arguments, "after"))
        changed = [name for name in settled if getattr(wanted, name) != getattr(after, name)]
        if changed:
            problem = f"it can't change {', '.join(changed)}: a use case does, and tells of it; it may refuse"
            raise InvalidDefinition("Hook saving_record", (problem,))
        return wanted

    def agree(self, work: UnitOfWork, changed: Iterable[tuple[R, R]]) -> None:
        """Lets the plugins refuse what is saved many at a time."""
        for before, after in changed:
            if self.saving(work, before, after) != after:
                problem = "it can't change records that are saved many at a time; it may refuse them"
                raise InvalidDefinition("Hook saving_record", (problem,))

    def _changed(self, hook: str, arguments: dict[str, Any], subject: str) -> Any:
        """The *subject* after every listener in turn has seen, and perhaps replaced, the last one's answer."""
        for answer in self._call(hook, arguments):
            if answer is None:
                continue
            if type(answer) is not type(arguments[subject]) or answer.id != arguments[subject].id:
                kind = type(arguments[subject]).__name__
                raise InvalidDefinition(
                    f"Hook {hook}", (f"it must return the {kind} or None, not {answer!r}"[:200],)
                )
            arguments[subject] = answer
        return arguments[subject]

    def removing(self, work: UnitOfWork, record: Record) -> None:
        """Lets the plugins refuse."""
        self._run("removing_record", {"work": work, "record": record})

    def moving(self, work: UnitOfWork, opportunity: Opportunity, to: str, note: str | None) -> None:
        """Lets the plugins refuse."""
        self._run("moving_opportunity", {"work": work, "opportunity": opportunity, "to": to, "note": note})

    def recycling(self, work: UnitOfWork, customer: Customer, pool: str, rule: str) -> bool:
        """Whether the plugins let *customer* fall."""
        asked = {"work": work, "customer": customer, "pool": pool, "rule": rule}
        return all(answer is not False for answer in self._call("recycling_customer", asked))

    def choosing(self, work: UnitOfWork, item: Item, candidates: Sequence[Candidate]) -> str | None:
        """Whom the plugins want *item* to go to; None where they leave it to the strategy."""
        asked = {"work": work, "item": item, "candidates": candidates}
        for answer in self._call("choosing_assignee", asked):
            if answer is None:
                continue
            if not any(one.id == answer for one in candidates):
                problem = f"it must return the id of one of the candidates or None, not {answer!r}"[:200]
                raise InvalidDefinition("Hook choosing_assignee", (problem,))
            return cast(str, answer)
        return None

    def transferring(self, work: UnitOfWork, customer: Customer, to: Id, reason: str | None) -> None:
        """Lets the plugins refuse."""
        asked = {"work": work, "customer": customer, "to": to, "reason": reason}
        self._run("transferring_customer", asked)

    def added(self, work: UnitOfWork, record: Record) -> None:
        """Tells the plugins."""
        self._run("record_added", {"work": work, "record": record})

    def saved(self, work: UnitOfWork, before: Record, after: Record) -> None:
        """Tells the plugins."""
        self._run("record_saved", {"work": work, "before": before, "after": after})

    def removed(self, work: UnitOfWork, record: Record) -> None:
        """Tells the plugins."""
        self._run("record_removed", {"work": work, "record": record})

    def happened(self, work: UnitOfWork, event: Event) -> None:
        """Tells the plugins."""
        self._run("event_happened", {"work": work, "event": event})

    def committed(self, event: OutboxEvent) -> None:
        """Tells the plugins; the first exception ends it, for the event is then delivered anew."""
        self._run("event_committed", {"event": event})

    def _run(self, hook: str, arguments: dict[str, Any]) -> None:
        for _ in self._call(hook, arguments):
            pass
