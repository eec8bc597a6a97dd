"""Texts in several languages, written and read."""

import pytest

from odooport import InvalidRequest, Odoo, OdooRefused, RecordMissing
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import CountingGateway

BOTH = ["en_US", "fr_FR"]
WRITES = {"create", "write", "copy", "update_field_translations"}


@pytest.fixture
async def french(odoo: Odoo) -> Odoo:
    """Odoo for its administrator, with French made active."""
    (lang,) = await odoo.acting_as(active_test=False).search(
        "res.lang", [["code", "=", "fr_FR"]]
    )
    await odoo.write("res.lang", [lang], {"active": True})
    return odoo


async def a_product(odoo: Odoo, **values: object) -> int:
    (made,) = await odoo.create("product.product", {"name": "Desk", **values})
    return made


async def test_a_text_is_written_and_read_in_several_languages(french: Odoo) -> None:
    made = await a_product(french)
    texts = {"en_US": "Table", "fr_FR": "Bureau"}
    await french.write("product.product", [made], {"name": texts})
    rows = await french.read(
        "product.product", [made], fields=["name", "type"], languages=BOTH
    )
    assert rows == [{"id": made, "name": texts, "type": "consu"}]
    (record,) = await french.read("product.product", [made], fields=["name"])
    assert record["name"] == "Table"


async def test_null_takes_the_text_of_a_language_away(french: Odoo) -> None:
    made = await a_product(french)
    await french.write("product.product", [made], {"name": {"fr_FR": "Bureau"}})
    await french.write("product.product", [made], {"name": {"fr_FR": None}})
    (record,) = await french.read(
        "product.product", [made], fields=["name"], languages=["fr_FR"]
    )
    assert record["name"] == {"fr_FR": "Desk"}


async def test_html_is_translated_term_by_term(french: Odoo) -> None:
    made = await a_product(french, description="<p>Hello</p><p>World</p>")
    words = {"fr_FR": {"Hello": "Bonjour"}}
    await french.write("product.product", [made], {"description": words})
    (record,) = await french.read(
        "product.product", [made], fields=["description"], languages=BOTH
    )
    assert record["description"] == {
        "en_US": "<p>Hello</p><p>World</p>",
        "fr_FR": "<p>Bonjour</p><p>World</p>",
    }
    whole = {"fr_FR": "<p>Bonjour</p>"}
    with pytest.raises(InvalidRequest, match="Its terms are 'Hello', 'World'") as told:
        await french.write("product.product", [made], {"description": whole})
    assert [each.pointer for each in told.value.problems] == ["/description/fr_FR"]


async def test_several_languages_stand_alone_and_for_one_record(
    french: Odoo, gateway: CountingGateway
) -> None:
    first, second = await a_product(french), await a_product(french)
    gateway.calls.clear()
    texts = {"fr_FR": "Bureau"}
    with pytest.raises(InvalidRequest, match="one record and this field alone"):
        await french.write("product.product", [first, second], {"name": texts})
    with pytest.raises(InvalidRequest, match="one record and this field alone"):
        await french.write("product.product", [first], {"name": texts, "active": False})
    assert not WRITES & set(gateway.called)


async def test_a_record_is_made_in_one_language(
    french: Odoo, gateway: CountingGateway
) -> None:
    made = await a_product(french)
    gateway.calls.clear()
    values = {"name": {"en_US": "Table", "fr_FR": "Bureau"}}
    with pytest.raises(InvalidRequest, match="then write the other languages"):
        await french.create("product.product", values)
    with pytest.raises(InvalidRequest, match="then write the other languages"):
        await french.copy("product.product", made, values=values)
    assert not WRITES & set(gateway.called)


async def test_a_language_that_is_not_active_is_refused_with_those_that_are(
    french: Odoo, gateway: CountingGateway
) -> None:
    made = await a_product(french)
    gateway.calls.clear()
    told = "no active language 'de_DE' here; give one of 'en_US', 'fr_FR'"
    texts = {"fr_FR": "Bureau", "de_DE": "Tisch"}
    with pytest.raises(InvalidRequest, match=told) as caught:
        await french.write("product.product", [made], {"name": texts})
    assert [each.pointer for each in caught.value.problems] == ["/name/de_DE"]
    with pytest.raises(InvalidRequest, match=told):
        await french.read("product.product", [made], languages=["de_DE"])
    assert not WRITES & set(gateway.called)


async def test_a_field_without_languages_takes_one_text(french: Odoo) -> None:
    made = await a_product(french)
    texts = {"fr_FR": "Bureau"}
    with pytest.raises(InvalidRequest, match="'default_code' is not translated"):
        await french.write("product.product", [made], {"default_code": texts})


async def test_a_missing_record_is_missing_in_every_language(french: Odoo) -> None:
    with pytest.raises(RecordMissing):
        await french.write("product.product", [99_999], {"name": {"fr_FR": "x"}})
    with pytest.raises(RecordMissing):
        await french.read("product.product", [99_999], languages=BOTH)


async def test_what_odoo_did_not_translate_is_no_success(
    french: Odoo, memory: MemoryGateway
) -> None:
    made = await a_product(french)
    memory.on("product.product", "update_field_translations", lambda *_: False)
    with pytest.raises(OdooRefused, match="did not translate 'name'"):
        await french.write("product.product", [made], {"name": {"fr_FR": "Bureau"}})


@pytest.mark.parametrize("languages", [[], "fr_FR", [5]])
async def test_languages_that_are_none_are_refused(
    french: Odoo, languages: list[str]
) -> None:
    with pytest.raises(InvalidRequest, match="language"):
        await french.read("product.product", [1], languages=languages)


async def test_only_translated_fields_are_read_more_than_once(
    french: Odoo, gateway: CountingGateway
) -> None:
    made = await a_product(french)
    gateway.calls.clear()
    await french.read("product.product", [made], fields=["type"], languages=BOTH)
    assert gateway.called.count("read") == 1
    gateway.calls.clear()
    await french.read("product.product", [made], fields=["name"], languages=BOTH * 2)
    reads = [call for call in gateway.calls if call.method == "read"]
    assert [call.context.lang for call in reads] == [None, *BOTH]
