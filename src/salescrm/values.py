"""
The values that fields hold (moments, phones, e-mail addresses, regions, credit codes, text), checked where they enter.

Ids and `Money` live in ``ids`` and ``money`` and are offered here too; entities and storage are elsewhere.
Each checker takes *entity* and *field* for its error to name, and returns the one written form that is stored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final, NewType, TypeAlias

import attrs

from salescrm.errors import InvalidValue
from salescrm.ids import Id, IdMaker, uuid7
from salescrm.money import CURRENCIES, Money

__all__ = [
    "CURRENCIES",
    "CreditCode",
    "Email",
    "Id",
    "IdMaker",
    "Moment",
    "Money",
    "Phone",
    "Region",
    "clean_line",
    "clean_text",
    "credit_code",
    "day",
    "email",
    "fold",
    "mobile",
    "moment",
    "phone",
    "uuid7",
]

#: An aware datetime in UTC, cut to milliseconds, made by `moment`.
Moment: TypeAlias = datetime
#: A telephone number in E.164, such as ``+8613123456789``, made by `phone` or `mobile`.
Phone = NewType("Phone", str)
#: An e-mail address with its domain in lower case, made by `email`.
Email = NewType("Email", str)
#: A unified social credit code, 18 capitals and digits, made by `credit_code`.
CreditCode = NewType("CreditCode", str)


def moment(value: object, *, entity: str = "Moment", field: str = "moment") -> Moment:
    """
    *value* in UTC, cut down to whole milliseconds; doing it again changes nothing.

    Raises:
        InvalidValue: not a datetime, naive, or (in UTC) outside the years 1000 to 9998.
    """
    if not isinstance(value, datetime):
        raise InvalidValue(entity, field, value, "a datetime with a time zone")
    cut = value
    if type(cut) is not datetime or cut.tzinfo is not UTC:
        if value.utcoffset() is None:
            raise InvalidValue(entity, field, value, "a datetime with a time zone")
        try:
            # Subclasses (a data frame's timestamps) carry more than engines give back.
            cut = datetime.combine(value.date(), value.timetz()).astimezone(UTC)
        except OverflowError:
            raise InvalidValue(entity, field, value, _YEARS) from None
    if not 1000 <= cut.year <= 9998:
        raise InvalidValue(entity, field, value, _YEARS)
    rest = cut.microsecond % 1000
    return cut.replace(microsecond=cut.microsecond - rest) if rest else cut


def day(value: object, *, entity: str = "Day", field: str = "day") -> date:
    """
    *value* as a plain calendar day.

    Raises:
        InvalidValue: not a date, a datetime (whose day depends on a zone), or outside the years 1000 to 9998.
    """
    if not isinstance(value, date) or isinstance(value, datetime):
        raise InvalidValue(entity, field, value, "a date without a time")
    if not 1000 <= value.year <= 9998:
        raise InvalidValue(entity, field, value, _YEARS)
    return value if type(value) is date else date(value.year, value.month, value.day)


# Within these every engine keeps them, four digits sort as text, and every time zone can still show them.
_YEARS: Final = "a year from 1000 to 9998"


def fold(text: str) -> str:
    """*text* as caseless search compares it: NFKC, case folded, NFKC again; folding twice changes nothing."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def clean_text(value: object, *, entity: str, field: str, limit: int) -> str:
    """
    *value*, known to be text that every engine can store, unchanged.

    Raises:
        InvalidValue: not exactly a str, longer than *limit* characters (code points), with NUL or lone surrogates.
    """
    if type(value) is not str:
        raise InvalidValue(entity, field, value, "text")
    if len(value) > limit:
        raise InvalidValue(entity, field, value, f"at most {limit} characters")
    if "\0" in value:
        raise InvalidValue(entity, field, value, "text without NUL characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValue(entity, field, value, "text without lone surrogates") from None
    return value


#: Control characters, line and paragraph separators, and what turns the direction of the text around it.
_OFF_THE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def clean_line(value: object, *, entity: str, field: str, limit: int) -> str:
    """
    *value*, known to be text as `clean_text` wants it, and one that looks like what it is, on a single line.

    What joins and marks within a word (emoji, accents, the direction marks of Hebrew and Arabic) stays.

    Raises:
        InvalidValue: no such text, or one with line breaks, control characters or overrides of direction.
    """
    text = clean_text(value, entity=entity, field=field, limit=limit)
    if not text.isprintable() and _OFF_THE_LINE.search(text):
        raise InvalidValue(entity, field, value, "a single line without control characters")
    return text


@attrs.frozen
class Region:
    """Where a customer is, from the largest division down, as the host spells it; unknown parts are None."""

    province: str | None = None
    city: str | None = None
    district: str | None = None

    def __attrs_post_init__(self) -> None:
        for field, part in (("province", self.province), ("city", self.city), ("district", self.district)):
            if part is not None:
                clean_text(part, entity="Region", field=field, limit=100)

    def __str__(self) -> str:
        """The known parts; 北京市 as province and city is said once."""
        return " ".join(dict.fromkeys(part for part in (self.province, self.city, self.district) if part))


_DIALLED = re.compile(r"[\d\s+().\-/\u2010-\u2015]+")
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_CN_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
_NUMBER: Final = "a telephone number, without letters or extension"


def phone(text: object, *, region: str | None = "CN", entity: str = "Phone", field: str = "number") -> Phone:
    """
    *text* as a valid telephone number in E.164; without a country code it is one of *region* (ISO 3166).

    Full-width digits, spaces, the usual punctuation and ``tel:`` are read.
    Letters and extensions are refused, not dropped: E.164 can't keep them and a dropped one reaches someone else.
    Numbers are read and checked by phonenumbers when it is installed (extra ``phone``); without it only complete
    international numbers and, in region CN, mobile numbers are taken, and checked by length alone.

    Raises:
        InvalidValue: not a number that can be dialled.
    """
    return _phone(text, region, entity, field, mobile_only=False)


def mobile(text: object, *, region: str | None = "CN", entity: str = "Phone", field: str = "mobile") -> Phone:
    """
    *text* as `phone` reads it, when it can be a mobile number, as in countries where one can't tell it can.

    Without phonenumbers only Chinese mobile numbers are known to be such.

    Raises:
        InvalidValue: not a number, or a landline, a hotline or the like.
    """
    return _phone(text, region, entity, field, mobile_only=True)


def _phone(text: object, region: str | None, entity: str, field: str, *, mobile_only: bool) -> Phone:
    def refused(expected: str) -> InvalidValue:
        return InvalidValue(entity, field, text, expected)

    plain = clean_text(text, entity=entity, field=field, limit=80)
    if not plain.isascii():
        # Copied numbers carry invisible direction marks (Cf) with them.
        plain = "".join(c for c in unicodedata.normalize("NFKC", plain) if unicodedata.category(c) != "Cf")
    plain = " ".join(plain.split()).removeprefix("tel:")
    if not _DIALLED.fullmatch(plain):
        raise refused(_NUMBER)
    try:
        import phonenumbers
    except ImportError:
        return _phone_unaided(plain, region, refused, mobile_only=mobile_only)
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        raise refused(_NUMBER) from None
    if not phonenumbers.is_valid_number(number):
        raise refused("a telephone number that exists")
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if mobile_only and phonenumbers.number_type(number) not in kinds:
        raise refused("a mobile number")
    return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _phone_unaided(
    plain: str, region: str | None, refused: Callable[[str], InvalidValue], *, mobile_only: bool
) -> Phone:
    digits = re.sub(r"[^0-9+]", "", plain)
    chinese = _CN_MOBILE.fullmatch(digits)
    if chinese and (region == "CN" or digits.startswith("+")):
        return Phone(f"+86{chinese[1]}")
    if _E164.fullmatch(digits) and not digits.startswith("+86") and not mobile_only:
        return Phone(digits)
    kinds = (
        "a Chinese mobile number" if mobile_only else "a Chinese mobile number or +, country code and number"
    )
    raise refused(f"{kinds}; with the extra salescrm[phone] more forms are read")


_EMAIL = re.compile(
    r"(?=.{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])",
    re.ASCII | re.IGNORECASE,
)


def email(text: object, *, entity: str = "Email", field: str = "address") -> Email:
    """
    *text* as an e-mail address: spaces around it gone, the domain in lower case, the part before @ as written.

    Checked for its form by email-validator when it is installed (extra ``email``), which also reads addresses
    beyond ASCII; nothing is looked up on a network.

    Raises:
        InvalidValue: not an address that mail could be sent to, or one with a name around it.
    """
    plain = clean_text(text, entity=entity, field=field, limit=320).strip()
    try:
        import email_validator
    except ImportError:
        if not _EMAIL.fullmatch(plain) or len(plain) > 254:
            raise InvalidValue(
                entity,
                field,
                text,
                "an e-mail address in ASCII; with the extra salescrm[email] others are read",
            ) from None
        local, _, domain = plain.rpartition("@")
        return Email(f"{local}@{domain.lower()}")
    try:
        return Email(
            email_validator.validate_email(plain, check_deliverability=False, strict=True).normalized
        )
    except email_validator.EmailNotValidError as refusal:
        # What that package says of it is English, and for those who read its source.
        raise InvalidValue(entity, field, text, "an e-mail address, such as name@example.com") from refusal


# GB 32100-2015: department, category, six digits of the division, nine of the organisation, one to check; no I O S V Z.
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE = re.compile(rf"[{_CREDIT_ALPHABET}]{{2}}[0-9]{{6}}[{_CREDIT_ALPHABET}]{{10}}")


def credit_code(text: object, *, entity: str = "CreditCode", field: str = "code") -> CreditCode:
    """
    *text* as a Chinese unified social credit code 统一社会信用代码 (GB 32100-2015): 18 capitals and digits, no spaces.

    Lower case, full-width letters and spaces are read; the check digit is verified, the division code is not looked up.

    Raises:
        InvalidValue: not of that form, or the check digit says that something was mistyped.
    """
    plain = clean_text(text, entity=entity, field=field, limit=80)
    code = "".join(unicodedata.normalize("NFKC", plain).upper().split())
    if not _CREDIT_CODE.fullmatch(code):
        raise InvalidValue(entity, field, text, "18 digits and capitals without I, O, S, V, Z")
    weighed = sum(_CREDIT_ALPHABET.index(c) * pow(3, place, 31) for place, c in enumerate(code[:17]))
    if _CREDIT_ALPHABET[-weighed % 31] != code[17]:
        raise InvalidValue(entity, field, text, "a code whose check digit fits")
    return CreditCode(code)
