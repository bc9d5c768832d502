"""How someone is reached: phones and e-mail addresses, with the checkers' packages and without."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from salescrm.errors import InvalidValue
from salescrm.values import email, mobile, phone

DATA = Path(os.environ.get("SALESCRM_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def unaided(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither extra were installed."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    monkeypatch.setitem(sys.modules, "email_validator", None)


WRITTEN = [
    "13123456789",
    "131 2345 6789",
    "131-2345-6789",
    "+86 131 2345 6789",
    "(+86)131.2345.6789",
    "0086 13123456789",
    "86 13123456789",
    "１３１－２３４５－６７８９",
    "＋86 13123456789",
    "\u202d+86 131 2345 6789\u202c",
    "\ufeff13123456789\u00a0",
    "tel:+86-131-2345-6789",
    " 131\t23456789\n",
]
NO_NUMBER: list[Any] = [
    *("", "abc", "12345", "131 2345 678", "131 2345 6789 1", "1-800-FLOWERS", "+1 800 FLOWERS", "+", "tel:"),
    *("13123456789 ext 5", "+8613123456789;ext=5", "+86 13123456789x12", "400-123-4567转8", "13123456789#5"),
    *("131 2345 6789 / 132 1111 2222", "+0012345678", "+999999999999999999"),
    *(None, 13123456789, b"13123456789", "\ud800", "131\x002345"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_mobile_number_is_read_as_people_write_it(text: str) -> None:
    pytest.importorskip("phonenumbers")

    assert "+8613123456789" == phone(text) == mobile(text)


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.usefixtures("unaided")
def test_the_same_forms_are_read_without_phonenumbers(text: str) -> None:
    assert "+8613123456789" == phone(text) == mobile(text)


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("read", [phone, mobile])
def test_no_number_is_made_up_or_cut(read: Callable[..., str], text: Any) -> None:
    pytest.importorskip("phonenumbers")

    with pytest.raises(InvalidValue):
        read(text, entity="Contact", field="phone")


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("read", [phone, mobile])
@pytest.mark.usefixtures("unaided")
def test_nor_is_one_without_phonenumbers(read: Callable[..., str], text: Any) -> None:
    with pytest.raises(InvalidValue):
        read(text, entity="Contact", field="phone")


@pytest.mark.parametrize("text", ["010 1234 5678", "+86 10 1234 5678", "400 123 4567", "+852 2123 4567"])
def test_a_landline_or_hotline_is_a_phone_but_no_mobile(text: str) -> None:
    pytest.importorskip("phonenumbers")

    assert phone(text).startswith("+")
    with pytest.raises(InvalidValue, match="a mobile number"):
        mobile(text)


def test_where_landlines_and_mobiles_look_alike_both_are_taken() -> None:
    pytest.importorskip("phonenumbers")

    assert "+12015550123" == mobile("201-555-0123", region="US")


@pytest.mark.usefixtures("unaided")
def test_without_phonenumbers_only_what_is_certain_is_taken() -> None:
    assert "+442079460958" == phone("+44 20 7946 0958")
    assert "+8613123456789" == mobile("+86 131 2345 6789", region="US")
    for text, region in [("010 1234 5678", "CN"), ("13123456789", "US"), ("+86 10 1234 5678", "CN")]:
        with pytest.raises(InvalidValue, match=r"salescrm\[phone\]"):
            phone(text, region=region)
    with pytest.raises(InvalidValue, match=r"salescrm\[phone\]"):
        mobile("+44 7400 123456")


def test_libphonenumber_s_own_written_forms_are_read_back() -> None:
    """Each written form, in the region it is dialled from, gives its E.164, save those listed as ambiguous."""
    pytest.importorskip("phonenumbers")
    folder = DATA / "phones_cn"
    if not folder.is_dir():
        pytest.skip("phones_cn is not there: set SALESCRM_DATA to the folder that holds it")
    examples = json.loads((folder / "examples.json").read_text("utf-8"))["examples"]
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    forms, misread = 0, set()
    for example in examples:
        regions = {
            **dict(international=None, rfc3966=None, national=example["region"]),
            **dict(dialled_from_US="US", dialled_from_CN="CN", dialled_from_HK="HK"),
        }
        for form, region in regions.items():
            if not example.get(form):
                continue
            forms += 1
            try:
                read: str | None = phone(example[form], region=region)
            except InvalidValue:
                read = None
            if read != example["e164"]:
                misread.add((example["region"], example["type"], form, example[form]))

    assert expected["forms"] == forms
    assert expected["parsed_back_by_phonenumbers"] == forms - len(misread)
    assert {tuple(one[:4]) for one in expected["not_round_tripping"]} == misread


# --- e-mail

ADDRESSES = [
    ("li@example.com", "li@example.com"),
    ("Li.Ming@EXAMPLE.Com", "Li.Ming@example.com"),
    (" li+crm@mail.example.co.uk\n", "li+crm@mail.example.co.uk"),
    ("o'neil_{x}@a-b.example.cn", "o'neil_{x}@a-b.example.cn"),
]
NO_ADDRESS: list[Any] = [
    *("", "li", "li@", "@example.com", "li@example", "li@@example.com", "a b@example.com", "li@exa mple.com"),
    *(".li@example.com", "li.@example.com", "l..i@example.com", "li@-example.com", "li@example..com"),
    *(
        "Li <li@example.com>",
        "li@example.com, b@example.com",
        "li@[127.0.0.1]",
        "li@127.0.0.1",
        '"a b"@example.com',
    ),
    *("l\0i@example.com", "\ud800@example.com", "li@example.com\x7f", "a" * 65 + "@example.com"),
    *("a@" + "b" * 64 + ".com", "a@" + "b." * 130 + "com", None, 7, b"li@example.com"),
]


@pytest.mark.parametrize("text, expected", ADDRESSES)
def test_an_address_keeps_its_local_part_and_lowers_its_domain(text: str, expected: str) -> None:
    pytest.importorskip("email_validator")

    assert expected == email(text)


@pytest.mark.parametrize("text, expected", ADDRESSES)
@pytest.mark.usefixtures("unaided")
def test_so_it_does_without_email_validator(text: str, expected: str) -> None:
    assert expected == email(text)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_no_mail_reaches_is_refused(text: Any) -> None:
    pytest.importorskip("email_validator")

    with pytest.raises(InvalidValue):
        email(text)


@pytest.mark.parametrize("text", [*NO_ADDRESS, "li@例子.中国"])
@pytest.mark.usefixtures("unaided")
def test_and_so_it_is_without_email_validator(text: Any) -> None:
    with pytest.raises(InvalidValue):
        email(text)


def test_addresses_beyond_ascii_are_read_with_email_validator() -> None:
    pytest.importorskip("email_validator")

    assert "李明@例子.中国" == email("李明@例子.中国")
