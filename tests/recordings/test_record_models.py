"""Classes from what a real Odoo 18 says of its models, filled with what it answered."""

import xmlrpc.client
from enum import StrEnum
from typing import Any, get_args

import pytest

from odooport.record_classes import (
    record_fields,
    record_model,
    value_fields,
    values_model,
)
from odooport.records import OdooRecord, records_of
from odooport.schema import ModelSchema
from odooport.values import record_out
from tests.recordings.conftest import ALL, Recording


def answer_of(recording: Recording) -> Any:
    assert recording.xmlrpc is not None
    (answer,), _ = xmlrpc.client.loads(recording.xmlrpc.body)
    return answer


def model_and_method(recording: Recording) -> tuple[Any, Any]:
    model, method, *_ = (*recording.args[3:5], None, None)
    return model, method


SCHEMAS = {
    model: ModelSchema.from_wire(model, answer_of(recording))
    for recording in ALL
    for model, method in [model_and_method(recording)]
    if method == "fields_get"
}
READS = [
    recording
    for recording in ALL
    for model, method in [model_and_method(recording)]
    if method in ("read", "search_read")
    and model in SCHEMAS
    and recording.xmlrpc is not None
    and "<fault>" not in recording.xmlrpc.body
]


@pytest.fixture(params=sorted(SCHEMAS))
def schema(request: pytest.FixtureRequest) -> ModelSchema:
    """Each model whose fields were recorded."""
    return SCHEMAS[request.param]


def test_every_recorded_field_becomes_an_attribute(schema: ModelSchema) -> None:
    cls = record_model(schema, schema.fields)
    assert set(cls.odoo_fields()) == set(schema.fields)
    assert cls.model_json_schema()["properties"].keys()


def test_every_recorded_selection_becomes_an_enum(schema: ModelSchema) -> None:
    cls = record_model(schema, schema.fields)
    for name, info in zip(cls.odoo_fields(), cls.model_fields.values(), strict=True):
        keys: list[Any] = [key for key, _ in schema.fields[name].selection]
        if schema.fields[name].type != "selection" or not keys:
            continue
        if all(isinstance(key, str) for key in keys):
            enum: type[StrEnum] = get_args(info.annotation)[0]
            assert list(enum) == keys
        else:  # the groups of a user are ids
            assert info.annotation is Any


def test_the_groups_of_a_user_are_no_fields_of_its_class() -> None:
    users = SCHEMAS["res.users"]
    groups = {name for name in users.fields if name.startswith(("in_", "sel_"))}
    assert len(groups) > 10
    assert not groups & {*record_fields(users), *value_fields(users)}


def test_what_odoo_sets_by_itself_cannot_be_written(schema: ModelSchema) -> None:
    names = values_model(schema).odoo_fields()
    assert not {"id", "create_uid", "create_date", "write_uid", "write_date"} & set(
        names
    )
    assert {name for name, field in schema.fields.items() if field.required} <= set(
        names
    ) | {"id"}


@pytest.mark.parametrize("reading", READS, ids=[item.name for item in READS])
def test_recorded_records_fit_their_class(reading: Recording) -> None:
    schema = SCHEMAS[reading.args[3]]
    sized = "bin_size" in str(reading.args)  # sizes in place of contents
    for row in answer_of(reading):
        kept = {
            name: value
            for name, value in row.items()
            if not (sized and schema.fields[name].type == "binary")
        }
        cls = record_model(schema, kept)
        (record,) = records_of(cls, schema, [record_out(schema, kept)])
        assert isinstance(record, OdooRecord)
        assert record.id == row["id"]
        assert set(cls.odoo_fields()) == set(kept)
