"""Texts in several languages."""

import pytest

from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema
from odooport.translations import by_language, texts_in

MADE = ModelSchema(
    "made",
    {
        "name": Field("name", "char", required=True),
        "city": Field("city", "char"),
        "title": Field("title", "char", translated=True, size=10),
        "body": Field("body", "html", translated=True),
    },
)


def test_a_text_in_several_languages_stands_alone():
    texts = {"en_US": "Desk", "fr_FR": "Bureau"}
    assert by_language(MADE, {"title": texts}, [7]) == (MADE.field("title"), texts)
    assert by_language(MADE, {"title": "Desk", "city": texts}, [7]) is None
    for values, ids in (
        ({"title": texts}, [7, 8]),
        ({"title": texts, "name": "x"}, [7]),
        ({"title": texts, "body": texts}, [7]),
    ):
        with pytest.raises(InvalidRequest, match="one record and this field") as caught:
            by_language(MADE, values, ids)
        assert [each.pointer for each in caught.value.problems] == ["/title"]


def test_the_text_of_another_record_is_not_changed_through_this_one():
    unit = Field("unit", "char", translated=True, readonly=True, related="unit_id.name")
    schema = ModelSchema("made", {"unit": unit})
    with pytest.raises(InvalidRequest, match=r"only shows 'unit_id\.name'"):
        by_language(schema, {"unit": {"fr_FR": "x"}}, [7])


def test_each_language_has_a_text_or_loses_it():
    field = MADE.field("title")
    texts = {"en_US": "Desk", "fr_FR": None}
    assert texts_in(MADE, field, texts, None) == {"en_US": "Desk", "fr_FR": False}


def test_each_term_has_a_text_or_loses_it():
    texts = {"fr_FR": {"Hello": "Bonjour", "World": None}}
    sent = texts_in(MADE, MADE.field("body"), texts, ["Hello", "World"])
    assert sent == {"fr_FR": {"Hello": "Bonjour", "World": False}}


@pytest.mark.parametrize(
    ("texts", "terms", "pointer", "told"),
    [
        ({}, None, "/title", "at least one language"),
        ({"fr_FR": 5}, None, "/title/fr_FR", "send text such as"),
        ({"fr_FR": "x" * 11}, None, "/title/fr_FR", "holds 10 characters"),
        ({"fr_FR": {"a": "b"}}, None, "/title/fr_FR", "send text such as"),
        ({"en_US": None}, None, "/title/en_US", "other languages fall back on it"),
        ({"fr_FR": "x"}, ["Hello"], "/title/fr_FR", "Its terms are 'Hello'"),
        ({"fr_FR": {}}, ["Hello"], "/title/fr_FR", "send the terms with their texts"),
        ({"fr_FR": {"Hi": "x"}}, ["Hello"], "/title/fr_FR", "'Hi' is no term of"),
        ({"fr_FR": {"Hello": 5}}, ["Hello"], "/title/fr_FR", "send text such as"),
        ({"fr_FR": {"Hello": "x"}}, [], "/title/fr_FR", "no terms yet"),
    ],
)
def test_a_wrong_text_of_a_language_is_refused_at_its_place(
    texts, terms, pointer, told
):
    with pytest.raises(InvalidRequest, match=told) as caught:
        texts_in(MADE, MADE.field("title"), texts, terms)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_many_terms_are_not_all_shown():
    terms = [f"term {number}" for number in range(15)]
    with pytest.raises(InvalidRequest, match="'term 9' and 5 more"):
        texts_in(MADE, MADE.field("body"), {"fr_FR": {"x": "y"}}, terms)
