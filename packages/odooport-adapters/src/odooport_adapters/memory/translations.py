"""Texts in several languages (``odoo/models.py``, 3845-4030, and ``odoo/fields.py``).

A row keeps the text of a field in its own column, in Odoo's source language, and each
other language's text in a column beside it. HTML is translated by its pieces.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import (
    SOURCE_LANGUAGE,
    Environment,
    text_column,
)
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.writing import check_records, put, write

type Translation = dict[str, Any]

_BLOCK = re.compile(
    r"(</?(?:p|div|h[1-6]|ul|ol|li|table|tr|td|th|br|hr)\b[^>]*>)", re.I
)


def get_field_translations(
    env: Environment,
    model: Model,
    ids: list[int],
    field_name: str,
    langs: Sequence[str] | None = None,
) -> list[Any]:
    """Answer a field's texts by language, and how a dialog shall show them.

    Raises:
        OdooFailed: There is no such field, or not one record.
        OdooRefused: A language is not active.
        RecordMissing: The record is not there.
        OdooAccessError: The user may not read it.
    """
    record_id, field = _one(model, ids), _field(model, field_name)
    wanted = langs or _active(env)
    views = {lang: env.in_language(lang) for lang in wanted}
    for view in views.values():
        view.check_language()
    check_records(env, model, ids, "read")
    env.check_fields(model, [field_name], "read")
    row = env.row(model.name, record_id)
    texts = {
        lang: view.getter(model.name, field_name)(record_id, row)
        for lang, view in views.items()
    }
    source = env.in_language(SOURCE_LANGUAGE).getter(model.name, field_name)(
        record_id, row
    )
    by_term = bool(field.translated) and field.type == "html"
    told: list[Translation] = []
    if by_term:
        told = _terms_told(source, texts)
    elif field.translated:
        told = [
            {
                "lang": lang,
                "source": False if source is None else source,
                "value": False if text is None else text,
            }
            for lang, text in texts.items()
        ]
    kind = "text" if field.type in ("text", "html") else "char"
    return [told, {"translation_type": kind, "translation_show_source": by_term}]


def update_field_translations(
    env: Environment,
    model: Model,
    ids: list[int],
    field_name: str,
    translations: Any,
    source_lang: str | None = None,
) -> bool:
    """Set a field's texts by language; False takes a language's own text away.

    Raises:
        OdooFailed: There is no such field, or the texts have another form.
        OdooRefused: A language is not active, or what is given is no text.
        RecordMissing: The record is not there.
        OdooAccessError: The user may not write it.
    """
    record_id = _one(model, ids)
    env.check_model(model, "write")
    env.existing(model.name, ids)
    check_records(env, model, ids, "write")
    env.check_fields(model, [field_name], "write")
    if not isinstance(translations, Mapping):
        text = f"{type(translations).__name__!r} object has no attribute 'values'"
        raise faults.crash("AttributeError", text)
    given = dict(cast("Mapping[str, Any]", translations))
    active = _active(env)
    asked = [*given, source_lang or SOURCE_LANGUAGE]
    closed = [lang for lang in dict.fromkeys(asked) if lang not in active]
    if closed:
        raise faults.refused(
            f"The following languages are not activated: {', '.join(closed)}"
        )
    field = _field(model, field_name)
    if not field.translated:
        return False
    row = env.row(model.name, record_id)
    if field.type == "html":
        if not row.get(field_name):
            return False
        given = _replaced(env, model, record_id, field, given)
    elif any(text and not isinstance(text, str) for text in given.values()):
        raise faults.refused(
            "Translations for model translated fields only accept falsy values and str"
        )
    if given.get(SOURCE_LANGUAGE, True) is False:
        del given[SOURCE_LANGUAGE]
    if not given:
        return False
    changes: Translation = {
        text_column(field_name, lang): text if isinstance(text, str) else None
        for lang, text in given.items()
        if lang != SOURCE_LANGUAGE
    }
    first = next((text for text in given.values() if isinstance(text, str)), None)
    source = given.get(SOURCE_LANGUAGE, row.get(field_name))
    put(
        env,
        model,
        record_id,
        {**changes, field_name: first if source is None else source},
    )
    write(env, model, ids, {})
    return True


def _one(model: Model, ids: list[int]) -> int:
    if len(ids) != 1:
        shown = ", ".join(map(str, ids))
        raise faults.crash("ValueError", f"Expected singleton: {model.name}({shown})")
    return ids[0]


def _field(model: Model, name: str) -> Field:
    if name not in model.fields:
        raise faults.crash("KeyError", repr(name))
    return model.fields[name]


def _active(env: Environment) -> list[str]:
    rows = env.table("res.lang").rows.values()
    return sorted(row["code"] for row in rows if row["active"])


# HTML, by its pieces


def _terms(text: str | None) -> list[str]:
    """Answer the pieces of text between an HTML's blocks."""
    pieces = _BLOCK.split(text or "")
    return [piece.strip() for piece in pieces[::2] if piece.strip()]


def _terms_told(source: str | None, texts: Mapping[str, Any]) -> list[Translation]:
    own = _terms(source)
    told: list[Translation] = []
    for place, term in enumerate(own):
        for lang, text in texts.items():
            found = _terms(text)
            value = found[place] if len(found) == len(own) else term
            told.append(
                {"lang": lang, "source": term, "value": "" if value == term else value}
            )
    return told


def _replaced(
    env: Environment,
    model: Model,
    record_id: int,
    field: Field,
    given: Mapping[str, Any],
) -> Translation:
    """Answer whole texts in which some of the source's pieces have new words."""
    row = env.row(model.name, record_id)
    source: str = row[field.name]
    answer: Translation = {}
    for lang, words in given.items():
        if not words:
            continue
        if not isinstance(words, Mapping):
            text = f"{type(words).__name__!r} object is not a mapping"
            raise faults.crash("TypeError", text)
        view = env.in_language(lang)
        now = _terms(view.getter(model.name, field.name)(record_id, row))
        known = dict(zip(_terms(source), now, strict=False))
        known |= {
            old: new or old for old, new in cast("Mapping[str, str]", words).items()
        }
        pieces = _BLOCK.split(source)
        answer[lang] = "".join(
            (
                piece.replace(piece.strip(), known.get(piece.strip(), piece.strip()))
                if piece.strip()
                else piece
            )
            for piece in pieces
        )
    return answer
