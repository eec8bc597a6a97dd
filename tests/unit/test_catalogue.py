"""The catalogue of known methods: whether it is well formed, and what it knows."""

import re

import pytest

from odooport.catalogue import (
    BASE,
    CATALOGUE,
    OWN_OPERATIONS,
    MethodInfo,
    Parameter,
    catalogued,
    merged,
)
from odooport.model import Operation
from odooport.schema import Field, ModelSchema
from odooport.signatures import SIGNATURES
from odooport_adapters.memory.methods import PRIVATE

EVERY = [method for methods in CATALOGUE.values() for method in methods]


def model(name: str, *fields: str) -> ModelSchema:
    """A model with fields of these names."""
    return ModelSchema(name, {field: Field(field, "char") for field in fields})


def test_it_knows_a_useful_number_of_methods_each_once():
    assert 150 < len(EVERY) < 300
    assert len({(method.model, method.name) for method in EVERY}) == len(EVERY)


@pytest.mark.parametrize("method", EVERY, ids=lambda one: f"{one.model}.{one.name}")
def test_an_entry_is_whole_and_public(method: MethodInfo):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", method.name)
    assert method.name not in PRIVATE
    assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", method.model)
    assert re.fullmatch(r"[A-Z].*[^.]\.", method.summary)
    assert method.file
    assert re.fullmatch(r"(odoo|addons/[a-z_]+)/[a-z_/0-9]+\.py", method.file)
    assert f"/{method.module}/" in method.file or method.module == "core"
    assert set(method.outside) <= {"mail", "sms", "payment", "edi"}
    assert method.source == "catalogue"
    names = [parameter.name for parameter in method.parameters]
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)
    kinds = [parameter.kind for parameter in method.parameters]
    order = ("usual", "keyword", "keywords")
    assert kinds == sorted(kinds, key=order.index)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_it_agrees_with_the_signatures(name: str):
    signature = SIGNATURES[name]
    found = [
        method
        for method in EVERY
        if method.name == name and method.model in (signature.model or BASE, BASE)
    ]
    for method in found:
        usual = tuple(one.name for one in method.parameters if one.kind == "usual")
        assert usual == signature.parameters[: len(usual)]
        if len(method.parameters) == len(usual):
            assert usual == signature.parameters
        assert method.on_records == signature.on_records
        # The catalogue tells what a call of the web client does; it is judged as one.
        assert signature.operation in (method.operation, Operation.CALL)
    # Calls of the web client, which are known only to be judged, are not offered.
    assert found or signature.operation is Operation.CALL


def test_a_model_has_its_own_methods_and_those_of_every_model():
    found = catalogued(model("sale.order", "id"))
    assert found["action_confirm"].file == "addons/sale/models/sale_order.py"
    assert found["action_confirm"].outside == ("mail",)
    assert found["read"].model == BASE
    assert "button_validate" not in found


@pytest.mark.parametrize(
    ("field", "method"),
    [
        ("message_ids", "message_post"),
        ("activity_ids", "activity_schedule"),
        ("access_url", "get_portal_url"),
        ("active", "action_archive"),
    ],
)
def test_what_a_mixin_brings_needs_its_field(field: str, method: str):
    assert method in catalogued(model("x_custom", "id", field))
    assert method not in catalogued(model("x_custom", "id"))


def test_a_models_own_method_takes_the_place_of_the_general_one():
    found = catalogued(model("hr.employee", "id", "active"))
    assert found["toggle_active"].model == "hr.employee"


def test_what_the_server_tells_decides_and_the_catalogue_completes():
    told = [
        MethodInfo("sale.order", "action_confirm", source="server"),
        MethodInfo("x", "x_own", summary="Do it.", source="server"),
    ]
    found = merged(model("sale.order", "id"), told)
    assert list(found) == ["action_confirm", "x_own"]
    confirm = found["action_confirm"]
    assert confirm.summary.startswith("Confirm quotations")
    assert (confirm.operation, confirm.outside) == (Operation.WRITE, ("mail",))
    assert confirm.source == "server"
    assert found["x_own"].summary == "Do it."


def test_what_the_server_says_is_not_overruled():
    told = MethodInfo(
        "sale.order",
        "action_quotation_send",
        (Parameter("more"),),
        summary="Open a window.",
        operation=Operation.READ,
        source="server",
    )
    found = merged(model("sale.order", "id"), [told])
    assert found["action_quotation_send"] == told


def test_nothing_told_is_another_thing_than_no_methods():
    schema = model("sale.order", "id")
    assert merged(schema, []) == {}
    known = merged(schema, None)
    assert known.items() <= catalogued(schema).items()
    assert catalogued(schema).keys() - known.keys() <= OWN_OPERATIONS.keys()


def test_a_signature_reads_like_python():
    method = MethodInfo(
        "x",
        "run",
        (
            Parameter("first"),
            Parameter("second", required=False),
            Parameter("named", required=False, kind="keyword"),
            Parameter("other", kind="keyword"),
            Parameter("more", required=False, kind="keywords"),
        ),
    )
    assert method.signature == "run(first, second=…, *, named=…, other, **more)"
    several = MethodInfo("x", "run", (Parameter("many", False, "values"),))
    assert several.signature == "run(*many)"
