"""The policy: a host's rules as one frozen value, checked when it is built; as text it is in `plain`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import attrs

from salescrm.calendars import Calendar
from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.kinds import Kind
from salescrm.labels import Label, Language
from salescrm.policy.approvals import ApprovalFlow, ApprovedAct
from salescrm.policy.assignments import AssignmentRule
from salescrm.policy.calendars import WorkCalendar
from salescrm.policy.checks import problems_of
from salescrm.policy.parts import ExtraField, FollowUpWindows, NumberedEntity, Numbering
from salescrm.policy.pools import Pool, ranked
from salescrm.policy.vocabulary import Choices, ChosenField, shipped_choices
from salescrm.stages import Pipeline, shipped
from salescrm.values import Moment, moment

__all__ = ["Policy"]


def _numbering() -> tuple[Numbering, ...]:
    return (
        Numbering(entity="Customer", prefix="C"),
        Numbering(entity="Opportunity", prefix="O"),
        Numbering(entity="FollowUp", prefix="F"),
    )


def _moment(value: datetime | None) -> Moment | None:
    # One without a zone is left as it is, for the checks to name it beside whatever else is wrong.
    return moment(value) if isinstance(value, datetime) and value.utcoffset() is not None else value


@attrs.frozen(kw_only=True)
class Policy:
    """
    How this host sells; ``Policy()`` is what ships.

    Attributes:
        version: The host's own count of its changes; told wherever the policy decided something.
        effective_from: The moment from which this version holds; before it the one before does. See `Policies`.
        language: What people are spoken to in, unless someone asks for the other.
        time_zone: IANA name; where days, weeks and months begin and end, unless a member has a zone of their own.
        currency: ISO 4217; of amounts that come without one.
        phone_region: ISO 3166; where a telephone number without a country code belongs.
        mobile_required: A contact must have a mobile number.
        numbering: How numbers look, for each entity that has them.
        follow_up_days: How soon to follow up, by priority.
        choices: What is offered where a field takes any text.
        calendars: Working calendars, for limits in working days; those that a host gives to `connect` come first.
        pools: Where customers that nobody owns wait for a new owner; without any, they just have no owner.
        assignments: Who gets which customers; the first rule that is for one decides.
        approvals: What has to be approved before it is done, and by whom; the first that holds decides.

    Raises:
        InvalidDefinition: The policy contradicts itself; every problem is named.
    """

    version: int = 1
    effective_from: Moment | None = attrs.field(default=None, converter=_moment)
    language: Language = "en"
    time_zone: str = "Asia/Shanghai"
    currency: str = "CNY"
    phone_region: str = "CN"
    mobile_required: bool = True
    default_pipeline: str = "standard"
    follow_up_days: FollowUpWindows = attrs.field(factory=FollowUpWindows)
    numbering: tuple[Numbering, ...] = attrs.field(factory=_numbering, converter=tuple[Numbering, ...])
    extra_fields: tuple[ExtraField, ...] = attrs.field(default=(), converter=tuple[ExtraField, ...])
    choices: tuple[Choices, ...] = attrs.field(factory=shipped_choices, converter=tuple[Choices, ...])
    pipelines: tuple[Pipeline, ...] = attrs.field(factory=shipped, converter=tuple[Pipeline, ...])
    calendars: tuple[WorkCalendar, ...] = attrs.field(default=(), converter=tuple[WorkCalendar, ...])
    pools: tuple[Pool, ...] = attrs.field(default=(), converter=tuple[Pool, ...])
    assignments: tuple[AssignmentRule, ...] = attrs.field(default=(), converter=tuple[AssignmentRule, ...])
    approvals: tuple[ApprovalFlow, ...] = attrs.field(default=(), converter=tuple[ApprovalFlow, ...])

    def __attrs_post_init__(self) -> None:
        if problems := tuple(problems_of(self)):
            raise InvalidDefinition("Policy", problems)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def extra_kinds(self) -> Mapping[str, Mapping[str, Kind]]:
        """The declared custom fields by entity and name, as `catalog.schemas` takes them."""
        kinds: dict[str, dict[str, Kind]] = {}
        for field in self.extra_fields:
            kinds.setdefault(field.entity, {})[field.name] = field.stored_as
        return kinds

    def pipeline(self, key: str | None = None) -> Pipeline:
        """The pipeline called *key*, or the default one.

        Raises:
            InvalidValue: There is none; the error names those that are.
        """
        wanted = self.default_pipeline if key is None else key
        for pipeline in self.pipelines:
            if pipeline.key == wanted:
                return pipeline
        known = ", ".join(pipeline.key for pipeline in self.pipelines)
        raise InvalidValue("Opportunity", "pipeline", wanted, f"one of {known}")

    def pool(self, key: str) -> Pool:
        """The pool called *key*, open or not.

        Raises:
            InvalidValue: There is none; the error names those that are.
        """
        for pool in self.pools:
            if pool.key == key:
                return pool
        if not self.pools:
            raise InvalidValue("Customer", "pool_id", key, "nothing: this policy has no pools")
        known = ", ".join(pool.key for pool in self.pools)
        raise InvalidValue("Customer", "pool_id", key, f"one of {known}")

    def calendar(self, key: str) -> Calendar:
        """The working calendar called *key*.

        Raises:
            InvalidValue: There is none; the error names those that are.
            Misconfigured: It asks for a country, and the package ``holidays`` is not installed.
        """
        found = self._calendars.get(key)
        if found is None:
            known = ", ".join(one.key for one in self.calendars) or "none"
            raise InvalidValue(
                "Calendar",
                "key",
                key,
                f"the key of a calendar that connect() was given, or one of the policy's: {known}",
            )
        return found

    @cached_property
    def _calendars(self) -> Mapping[str, Calendar]:
        return {one.key: one.calendar() for one in self.calendars}

    def assignment(self, key: str) -> AssignmentRule:
        """The rule of assignment called *key*.

        Raises:
            InvalidValue: There is none; the error names those that are.
        """
        for rule in self.assignments:
            if rule.key == key:
                return rule
        known = ", ".join(rule.key for rule in self.assignments) or "none"
        raise InvalidValue("AssignmentRule", "key", key, f"one of {known}")

    def zone_of(self, pool: Pool) -> ZoneInfo:
        """The time zone in which the days of *pool* begin."""
        return self.zone if pool.time_zone is None else ZoneInfo(pool.time_zone)

    @cached_property
    def assigns_on_create(self) -> bool:
        """Whether a rule of assignment gives a new customer an owner at once."""
        return any(rule.on_create for rule in self.assignments)

    @cached_property
    def ranked_pools(self) -> tuple[Pool, ...]:
        """The open pools, in the order in which a customer is offered to them."""
        return ranked(self.pools)

    def flow(self, key: str) -> ApprovalFlow:
        """The approval called *key*.

        Raises:
            InvalidValue: There is none; the error names those that are.
        """
        for flow in self.approvals:
            if flow.key == key:
                return flow
        if not self.approvals:
            raise InvalidValue("ApprovalRequest", "flow", key, "nothing: this policy has no approvals")
        known = ", ".join(flow.key for flow in self.approvals)
        raise InvalidValue("ApprovalRequest", "flow", key, f"one of {known}")

    def flows_of(self, act: ApprovedAct) -> tuple[ApprovalFlow, ...]:
        """The approvals that *act* may need, in the order in which they are asked whether they hold."""
        return tuple(flow for flow in self.approvals if flow.act == act)

    def numbering_of(self, entity: NumberedEntity) -> Numbering:
        """How the numbers of *entity* look."""
        return self._numbering[entity]

    @cached_property
    def _numbering(self) -> Mapping[str, Numbering]:
        return {numbering.entity: numbering for numbering in self.numbering}

    def label_of(self, field: ChosenField, key: str) -> Label | None:
        """What people call the choice *key* of *field*; None where it is in no list."""
        return next(
            (
                choice.label
                for choices in self.choices
                if choices.field == field
                for choice in choices.options
                if choice.key == key
            ),
            None,
        )
