"""
What people read, in English and Chinese: names of entities, fields and choices, and the sentences of errors.

The language is an argument each time; the machine's is never looked at.  Names that a host gives itself (stages,
choices, custom fields) are `salescrm.labels.Label` values in its policy.
"""

from __future__ import annotations

from salescrm.errors import CrmError, MoveRefused, Unmet
from salescrm.labels import Language
from salescrm.locale.catalogs import Catalog, catalog

__all__ = ["Language", "label", "message"]


def label(lang: Language, entity: str, field: str | None = None, choice: str | None = None) -> str:
    """
    What people call *entity* (``Customer``), its *field*, or the *choice* of that field.

    A field may be a part of one (``region.city``) or a column (``amount_currency``).  What has no name here, as a
    host's own entity, is told in the words of its key.
    """
    words = catalog(lang)
    if field is None:
        return words.name(entity) or entity
    field = field.removeprefix("extra.")
    if choice is not None:
        return words.name(f"{entity}.{field}.{choice}", f"{field}.{choice}") or _in_words(choice)
    if (name := words.name(f"{entity}.{field}", field, field.rpartition(".")[2])) is not None:
        return name
    if field.endswith("_currency"):
        amount, currency = label(lang, entity, field.removesuffix("_currency")), words.name("currency")
        return f"{amount}（{currency}）" if lang == "zh" else f"{amount} ({currency})"
    return _in_words(field)


def message(error: CrmError, lang: Language) -> str:
    """The sentence of *error* in *lang*; in English it is ``str(error)``."""
    if lang == "en":
        return str(error)
    words = catalog(lang)
    facts = {name: _fact(error, name, lang, words) for name in error.facts()}
    return words.sentences.get(error.template, error.template).format(**facts)


def _fact(error: CrmError, name: str, lang: Language, words: Catalog) -> str:
    """One fact as it stands in the sentence."""
    value = getattr(error, name)
    entity = getattr(error, "entity", "")
    match name:
        case "entity":
            return label(lang, value)
        case "field":
            return label(lang, entity, value)
        case "key":
            return "、".join(label(lang, entity, field) for field in value)
        case "near":
            return "、".join(value) or "无"
        case "action":
            return words.name(f"action.{value}") or words.sentence(value)
        case "state":
            return words.name(f"{entity}.status.{value}") or words.sentence(value)
        case "problems":
            return "；".join(words.sentence(problem) for problem in value)
        case "decisions":
            return "；".join(one.explain(lang) for one in value[:20])
        case "decision":
            told: str = value.explain(lang)
            return told
        case "left":
            return "、".join(
                f"{label(lang, one.entity, one.field)}（{label(lang, one.entity)}，{one.count} 条）"
                for one in value
            )
        case "unmet":
            return "；".join(_unmet(one, lang, words) for one in value)
        case "to" if isinstance(error, MoveRefused) and error.name:
            return error.name.text(lang)
        case "what" | "reason" | "expected" | "hint" if isinstance(value, str):
            return words.sentence(value)
        case _:
            return error.fact(name)


def _unmet(unmet: Unmet, lang: Language, words: Catalog) -> str:
    match unmet.code:
        case "field-missing":
            subject = label(lang, "Opportunity", unmet.subject)
        case "role-missing":
            roles = unmet.subject.split(", ")
            subject = "、".join(words.name(f"roles.{role}") or role for role in roles)
        case _:
            subject = unmet.name.text(lang) if unmet.name else unmet.subject
    return words.sentences.get(unmet.template, unmet.template).format(subject=subject)


def _in_words(key: str) -> str:
    """``head_count`` as a person would write it."""
    return key.replace("_", " ").strip().capitalize() if key.isascii() else key
