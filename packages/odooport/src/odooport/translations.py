"""Translated texts: one field of one record, written in several languages.

Such a text is given as ``{"en_US": "Desk", "fr_FR": "Bureau"}``. Where a field is
translated term by term, as HTML is, each language gives its terms:
``{"fr_FR": {"Hello": "Bonjour"}}``. A null removes the translation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from odooport import scalars
from odooport.errors import InvalidRequest, Problem
from odooport.scalars import below, is_empty, is_mapping, show
from odooport.schema import TEXTUAL, Field, ModelSchema
from odooport.values import value_in

type Texts = Mapping[str, Any]
"""A text in several languages, by language code."""

_SOURCE_LANGUAGE = "en_US"
"""What every other language falls back on (``odoo/fields.py``, ``get_trans_func``)."""

_SHOWN_TERMS = 10


def by_language(
    schema: ModelSchema, values: Mapping[str, Any], ids: Sequence[int]
) -> tuple[Field, Texts] | None:
    """Answer the one text that is written in several languages, or None.

    Odoo saves such texts field by field and record by record, each on its own. So a
    write with one holds nothing else: then it is done whole or not at all.

    Args:
        schema: The model to write.
        values: What to write.
        ids: The records to write on.

    Raises:
        InvalidRequest: There is more to write than one such text on one record, or
            it is the text of another record.
    """
    for name, value in values.items():
        field = schema.fields.get(name)
        if (
            field is not None
            and field.translated
            and field.type in TEXTUAL
            and is_mapping(value)
        ):
            told = _one_text_alone(field) if len(values) > 1 or len(ids) > 1 else ""
            if field.related and field.readonly:
                told = _anothers_text(field)
            if told:
                problem = Problem(below("", name), told)
                raise scalars.refusal(f"What to write on {schema.model!r}", [problem])
            return field, value
    return None


def texts_in(
    schema: ModelSchema, field: Field, texts: Texts, terms: Sequence[str] | None
) -> dict[str, Any]:
    """Check a text in several languages and put it in Odoo's form.

    Args:
        schema: The model to write.
        field: The field to write.
        texts: The text of each language, or of each term in it; null removes one.
        terms: The terms that the field is translated by; None where it is translated
            as a whole.

    Raises:
        InvalidRequest: With a problem for every text that is wrong.
    """
    problems: list[Problem] = []
    sent: dict[str, Any] = {}
    place = below("", field.name)
    for language, value in texts.items():
        at = below(place, language)
        try:
            if terms is None:
                sent[language] = _whole_text_in(field, language, value)
            else:
                sent[language] = _terms_in(field, value, terms)
        except InvalidRequest as wrong:
            problems.append(Problem(at, wrong.message))
    if not texts:
        problems.append(Problem(place, f"{field.name!r}: give at least one language."))
    if problems:
        raise scalars.refusal(f"What to write on {schema.model!r}", problems)
    return sent


def _whole_text_in(field: Field, language: str, value: Any) -> Any:
    if not is_empty(value):
        return value_in(field, value)
    if language == _SOURCE_LANGUAGE:
        raise InvalidRequest(
            f"{field.name!r} keeps its text in {language}: other languages fall back "
            "on it. Send a text, or empty the field with null in place of languages."
        )
    return False


def _terms_in(field: Field, value: Any, terms: Sequence[str]) -> dict[str, Any]:
    if not terms:
        raise InvalidRequest(
            f"{field.name!r} is translated term by term and has no terms yet: write "
            "its text first, in the language of the call."
        )
    shown = ", ".join(map(show, terms[:_SHOWN_TERMS]))
    if len(terms) > _SHOWN_TERMS:
        shown += f" and {len(terms) - _SHOWN_TERMS} more"
    if not is_mapping(value) or not value:
        raise InvalidRequest(
            f"{field.name!r} is translated term by term: send the terms with their "
            f"texts such as {{{show(terms[0])}: 'Some text'}}, not {show(value)}. Its "
            f"terms are {shown}."
        )
    sent: dict[str, Any] = {}
    for term, text in value.items():
        if term not in terms:
            raise InvalidRequest(
                f"{show(term)} is no term of {field.name!r}; its terms are {shown}."
            )
        sent[term] = False if is_empty(text) else scalars.text(field, text)
    return sent


def _one_text_alone(field: Field) -> str:
    return (
        f"{field.name!r} is given in several languages. Odoo saves that on its own, so "
        "such a write names one record and this field alone. Write the rest by itself."
    )


def _anothers_text(field: Field) -> str:
    """Say why not: Odoo would change the text of the other record, for everybody.

    It follows the path and looks at no ``readonly`` (``odoo/models.py``,
    ``_update_field_translations``), which ``write`` does not do.
    """
    return (
        f"{field.name!r} only shows {field.related!r}, the text of another record: "
        "write it there."
    )
