"""What the two languages promise: everything a person meets has a name and a sentence in both, whatever the machine says."""

from __future__ import annotations

import gettext
import io
import os
import re
import subprocess
import sys
import time
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from salescrm import entities
from salescrm.access import Action
from salescrm.catalog import schemas
from salescrm.errors import (
    CrmError,
    Duplicate,
    Forbidden,
    InvalidDefinition,
    InvalidValue,
    MoveRefused,
    NotFound,
    StaleWrite,
    StateRefused,
    UnknownField,
    Unmet,
    WorkEnded,
)
from salescrm.labels import Label, Language
from salescrm.locale import label, message
from salescrm.locale.catalogs import catalog
from salescrm.policy import loads, shipped_choices
from salescrm.stages import EVIDENCE
from salescrm.values import Region, clean_text, email, mobile
from tools import messages

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def classes() -> list[type[Any]]:
    """Every class whose attributes a person can meet."""
    named = (getattr(entities, name) for name in entities.__all__)
    return [Region, *named]


def fields() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each field of each of them, and its choices."""
    for kind in classes():
        for name, hint in typing.get_type_hints(kind).items():
            inside = [
                part for part in (hint, *typing.get_args(hint)) if typing.get_origin(part) is typing.Literal
            ]
            yield kind.__name__, name, tuple(choice for part in inside for choice in typing.get_args(part))


def places(template: str) -> list[str]:
    """The names of what is filled in, sorted; a sentence may show other braces."""
    return sorted(re.findall(r"\{(\w+)\}", template))


def errors(kind: type[CrmError] = CrmError) -> Iterator[type[CrmError]]:
    """Every error of ours; hosts may have their own."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("salescrm."):
            yield one
            yield from errors(one)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_has_a_name(lang: Language) -> None:
    """Entities, fields and choices; a name that is missing would show as a key."""
    names = catalog(lang).names
    unnamed = [kind.__name__ for kind in classes() if kind.__name__ not in names]
    for entity, field, choices in fields():
        if f"{entity}.{field}" not in names and field not in names:
            unnamed.append(f"{entity}.{field}")
        unnamed += [
            f"{entity}.{field}.{choice}"
            for choice in choices
            if f"{entity}.{field}.{choice}" not in names and f"{field}.{choice}" not in names
        ]
    unnamed += [f"action.{one}" for one in typing.get_args(Action) if f"action.{one}" not in names]

    assert unnamed == []
    assert all(text.strip() for text in names.values())


def test_both_languages_name_the_same_things() -> None:
    """No name is left behind in one of them, and Chinese names are Chinese."""
    english, chinese = catalog("en").names, catalog("zh").names

    assert english.keys() == chinese.keys()
    assert [key for key, text in chinese.items() if text.isascii() and key != "Crm"] == []
    assert [key for key, text in english.items() if not text.isascii()] == []


def test_every_column_has_a_name() -> None:
    """A change log tells columns; so do exports."""
    unnamed = [
        f"{schema.name}.{column.name}"
        for schema in schemas().values()
        for column in schema.read_columns
        if label("zh", schema.name, column.name).isascii()
    ]

    assert unnamed == []


@pytest.mark.parametrize("kind", [CrmError, *errors()], ids=lambda kind: kind.__name__)
def test_every_error_speaks_chinese(kind: type[CrmError]) -> None:
    """With the same facts in its sentence."""
    assert places(catalog("zh").sentences[kind.template]) == places(kind.template)


def test_every_sentence_of_the_source_is_in_the_catalog() -> None:
    """`python -m tools.messages` names them; the Chinese fills in the same facts, and nothing is left over."""
    said, written = messages.gathered(), catalog("zh").sentences

    assert {text: place for text, place in said.items() if text not in written} == {}
    assert [text for text in written if text not in said] == []
    assert [text for text in written if places(text) != places(written[text])] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_compiled_catalog_is_the_written_one(lang: Language) -> None:
    """`python -m tools.messages --compile` has run; gettext itself reads the same."""
    file = messages.po(lang).with_suffix(".mo").read_bytes()
    translations = gettext.GNUTranslations(io.BytesIO(file))
    written = [one for one in messages.catalog(lang) if one.id]

    assert not any(one.fuzzy for one in written)
    assert len({(one.context, one.id) for one in written}) == len(catalog(lang).names) + len(
        catalog(lang).sentences
    )
    for one in written:
        if one.context == messages.LABEL:
            assert (
                translations.pgettext(messages.LABEL, str(one.id))
                == one.string
                == catalog(lang).names[str(one.id)]
            )
        else:
            assert translations.gettext(str(one.id)) == one.string == catalog(lang).sentences[str(one.id)]


def test_what_ships_is_named_in_both_languages() -> None:
    """Evidence and the lists people choose from."""
    offered = [choice.label for choices in shipped_choices() for choice in choices.options]

    assert not [one for one in (*offered, *EVIDENCE.values()) if one.is_blank]


@pytest.mark.parametrize(
    "entity, field, choice, english, chinese",
    [
        ("Customer", None, None, "Customer", "客户"),
        ("Customer", "industry", None, "Industry", "行业"),
        ("Contact", "name", None, "Name", "姓名"),
        ("Opportunity", "amount_currency", None, "Amount (Currency)", "金额（币种）"),
        ("Customer", "region.city", None, "City", "城市"),
        ("FollowUp", "kind", "visit", "Visit", "拜访"),
        ("FollowUp", "priority", "high", "High", "高"),
        ("Invoice", "extra.head_count", None, "Head count", "Head count"),
        ("Invoice", "state", "half_paid", "Half paid", "Half paid"),
        ("Invoice", None, None, "Invoice", "Invoice"),
    ],
)
def test_labels(entity: str, field: str | None, choice: str | None, english: str, chinese: str) -> None:
    """By entity, field and choice; a host's own are told in the words of their keys."""
    assert label("en", entity, field, choice) == english
    assert label("zh", entity, field, choice) == chinese


def raised(function: Any, *arguments: Any, **more: Any) -> CrmError:
    with pytest.raises(CrmError) as refusal:
        function(*arguments, **more)
    return refusal.value


@pytest.mark.parametrize(
    "error, sentence",
    [
        (NotFound("Customer", "c1"), "找不到客户 'c1'"),
        (StaleWrite("Opportunity", "o1", 3), "商机 'o1' 在读取版本 3 之后已被他人修改，请重新读取后再试"),
        (Duplicate("Contact", ("customer_id", "mobile")), "已有另一个联系人使用了相同的客户、手机"),
        (Forbidden("li", "save", "Customer", "c1"), "'li' 无权修改客户 'c1'"),
        (StateRefused("FollowUp", "F1", "done", "be postponed"), "跟进 'F1' 当前已完成，不能延期"),
        (StateRefused("Customer", "C1", "the customer of 3 opportunities", "be removed"), "客户 'C1' 当前仍关联 3 条 opportunities，不能删除"),
        (WorkEnded("it was rolled back"), "本次工作单元已结束（已回滚），请重新开始一个"),
        (UnknownField("Customer", "nmae", ("name",)), "客户没有字段 'nmae'，相近的有：name"),
        (UnknownField("Customer", "q", ()), "客户没有字段 'q'，相近的有：无"),
        (InvalidDefinition("Pipeline x", ("there is no won stage to end in", "stage a leads to itself")), "销售流程 x不可用：没有成交阶段；阶段 a 指向自身"),
        (InvalidDefinition("Policy", ("at: expected a duration such as {'days': 30}, not {0}",)), "策略不可用：at：应为时长，如 {'days': 30}，而不是 {0}"),
        (InvalidValue("Customer", "name", 5, "words that nobody translated"), "客户的“名称”不能填 5，应为words that nobody translated"),
    ],
)  # fmt: skip
def test_messages(error: CrmError, sentence: str) -> None:
    """As a Chinese sales manager would say it; English is the error's own."""
    assert message(error, "zh") == sentence
    assert message(error, "en") == str(error)


def test_nothing_near_is_said_so_in_both_languages() -> None:
    """In an error of its own, and inside the sentence of a definition."""
    unknown = UnknownField("Customer", "nix")
    assert ("客户没有字段 'nix'，相近的有：无", "Customer has no field 'nix'; nearest: none") == (
        message(unknown, "zh"),
        message(unknown, "en"),
    )
    plan = InvalidDefinition("Policy", ("there is no setting nix; nearest: none",))
    assert "策略不可用：没有设置项 nix，相近的有：无" == message(plan, "zh")


def test_an_address_that_is_none_is_refused_in_one_language() -> None:
    """What another package says about it is English only."""
    with pytest.raises(InvalidValue) as refusal:
        email("li@example..com")
    assert "邮箱地址的“地址”不能填 'li@example..com'，应为邮箱地址，如 name@example.com" == message(
        refusal.value, "zh"
    )


def test_a_refused_move_calls_the_opportunity_by_its_number() -> None:
    """An id is for programs."""
    error = MoveRefused("01a2", "won", (Unmet("note-missing", "note", "a note is required"),), None, "O1")
    assert ("Opportunity 'O1' can't move to 'won': a note is required", "01a2") == (str(error), error.id)
    assert message(error, "zh").startswith("商机 'O1' 不能进入")


def test_a_refused_move_tells_everything_in_chinese() -> None:
    """Fields, roles and the host's own names included."""
    error = MoveRefused(
        "o1",
        "negotiation",
        (
            Unmet("field-missing", "expected_close", "{subject} must be filled in"),
            Unmet(
                "evidence-missing", "accepted-quote", "this is missing: {subject}", EVIDENCE["accepted-quote"]
            ),
            Unmet(
                "condition-unmet",
                "large",
                "this does not hold: {subject}",
                Label("Over 10,000", "金额超过一万"),
            ),
            Unmet("role-missing", "manager, finance", "only these roles may do this: {subject}"),
        ),
        Label("Negotiation", "商务谈判"),
    )

    assert message(error, "zh") == (
        "商机 'o1' 不能进入“商务谈判”：须填写“预计成交日期”；缺少：客户已接受的报价；"
        "未满足条件：金额超过一万；仅限以下角色操作：主管、财务"
    )


def test_sentences_with_values_inside_are_recognised() -> None:
    """From where they are made to Chinese, through every level."""
    assert message(raised(clean_text, "x" * 9, entity="Customer", field="name", limit=5), "zh") == (
        "客户的“名称”不能填 'xxxxxxxxx'，应为最多 5 个字符"
    )
    assert "电话号码" in message(raised(mobile, "12", entity="Contact"), "zh")
    assert message(
        raised(loads, 'version = "2"\n[[numbering]]\nentity = "Customer"\nprefix = "C"\nday = 5'), "zh"
    ) == ("策略不可用：version：应为 int，而不是 '2'；numbering[1].day：应为 str，而不是 5")


def test_an_entity_in_a_sentence_goes_by_its_name() -> None:
    """And a text that is one alone is a person's own."""
    assert "已有客户的键" == catalog("zh").sentence("the key of a Customer that is there")
    assert "Customer" == catalog("zh").sentence("Customer")


def test_what_a_person_wrote_is_not_taken_for_a_sentence_of_ours() -> None:
    """Braces, percent signs and long texts pass through."""
    error = InvalidValue("Customer", "name", "{0} %s {value}", "{expected}" * 1000)

    assert message(error, "zh") == "客户的“名称”不能填 '{0} %s {value}'，应为" + "{expected}" * 1000


@pytest.mark.parametrize(
    "text", [": ." * 1600, "stage , condition : " * 200, "{" * 4000, "x: " * 1000 + "text"]
)
def test_hostile_texts_cost_nothing(text: str) -> None:
    """No text makes the recognition of sentences run away; it comes back whole."""
    began = time.process_time()

    said = message(InvalidDefinition("Policy", (text,)), "zh")

    assert said.startswith("策略不可用：")
    assert time.process_time() - began < 1


def test_an_unknown_language_is_refused() -> None:
    """Not answered in another one by accident."""
    with pytest.raises(InvalidValue, match="one of en, zh"):
        label("fr", "Customer")  # type: ignore[arg-type]  # a host's configuration may hold anything


def test_the_machine_is_not_asked() -> None:
    """Whatever the environment says, the argument decides."""
    code = "from salescrm.locale import label; print(ascii(label('en', 'Customer')), ascii(label('zh', 'Customer')))"
    for lang in ("zh_CN.UTF-8", "de_DE.UTF-8", "C"):
        asked = {**os.environ, "LANG": lang, "LANGUAGE": lang, "LC_ALL": lang}
        said = subprocess.run(
            [sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True
        )
        assert said.stdout == "'Customer' '\\u5ba2\\u6237'\n"
