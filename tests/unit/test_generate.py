"""Text made from schemas: Python, JSON Schema and TypeScript.

The files ``tests/snapshots/generated_*`` show all three for two small models. Where a
change of them is meant, write them anew::

    python -m tests.unit.test_generate
"""

import ast
import copy
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from pydantic import BaseModel

from odooport import Credentials, InvalidRequest, ModelSchema, Odoo
from odooport.generate import json_schema, python_source, typescript_source
from odooport.record_classes import class_name, record_model, values_model, values_name
from odooport.schema import Field
from odooport.values import record_out
from odooport_adapters import MemoryGateway

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"

RECORDED = (
    "account.move",
    "crm.lead",
    "product.product",
    "project.task",
    "res.partner",
    "res.users",
    "sale.order",
    "sale.order.line",
)

AUTHOR = ModelSchema(
    "res.author",
    {
        "id": Field("id", "integer", "ID", readonly=True),
        "name": Field("name", "char", "Name", required=True, size=64),
        "book_ids": Field(
            "book_ids", "one2many", "Books", relation="library.book", inverse="author"
        ),
        "write_date": Field("write_date", "datetime", "Last Updated", readonly=True),
    },
)
BOOK = ModelSchema(
    "library.book",
    {
        "id": Field("id", "integer", "ID", readonly=True),
        "display_name": Field("display_name", "char", "Title", stored=False),
        "name": Field("name", "char", "Title", required=True, translated=True),
        "summary": Field(
            "summary",
            "html",
            "Summary",
            help="What it is about.\nReaders see it in the catalogue of the library, "
            'under the title and "by" whom it is, before they borrow it.',
        ),
        "author_id": Field("author_id", "many2one", "Author", relation="res.author"),
        "tag_ids": Field("tag_ids", "many2many", "Tags", relation="library.tag"),
        "state": Field(
            "state",
            "selection",
            "Where it is",
            required=True,
            selection=(("in", "On the shelf"), ("out", "Lent"), ("2nd", "2nd hand")),
        ),
        "pages": Field("pages", "integer", "Pages"),
        "weight": Field("weight", "float", "Weight", digits=(16, 2)),
        "price": Field("price", "monetary", "Price", currency_field="currency_id"),
        "printed": Field("printed", "date", "Printed on"),
        "lent": Field("lent", "datetime", "Lent at", readonly=True),
        "lendable": Field("lendable", "boolean", "Can be lent"),
        "cover": Field("cover", "binary", "Cover"),
        "source": Field(
            "source", "reference", "Came with", selection=(("x.gift", "A gift"),)
        ),
        "res_id": Field("res_id", "many2one_reference", "Its record"),
        "traits": Field("traits", "properties", "Traits"),
        "extra": Field("extra", "json", "Extra"),
        "class": Field("class", "char", "Class", size=3),
        "write_date": Field("write_date", "datetime", "Last Updated", readonly=True),
    },
)
LABELS = {"res.author": "Author", "library.book": "Book"}


def snapshots() -> dict[str, str]:
    """Answer what the files of the snapshots should hold."""
    schema = json_schema([BOOK, AUTHOR], labels=LABELS)
    return {
        "generated_models.py.txt": python_source([BOOK, AUTHOR], labels=LABELS),
        "generated_schema.json": json.dumps(schema, indent=2) + "\n",
        "generated_types.ts": typescript_source([BOOK, AUTHOR], labels=LABELS),
    }


@pytest.mark.parametrize("name", snapshots())
def test_what_is_generated_is_known(name):
    assert (SNAPSHOTS / name).read_text("utf-8") == snapshots()[name]


# Python

type Import = Callable[[str], ModuleType]


@pytest.fixture
def imported(tmp_path: Path) -> Iterator[Import]:
    """Imports source text as a module of its own."""
    names: list[str] = []

    def load(source: str) -> ModuleType:
        name = f"generated_{len(names)}"
        path = tmp_path / f"{name}.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        names.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in names:
        del sys.modules[name]


def shape(model: type[BaseModel], mode: Any) -> Any:
    """Answer a class as JSON Schema, without what may differ.

    That is the prose of classes, the order of fields and choices, and the arguments of
    ``Ref``, which only type checkers read.
    """
    schema = model.model_json_schema(mode=mode)
    text = re.sub(r"\b(Ref|Targets?)_\w+?_\b", r"\1", json.dumps(schema))
    found = json.loads(text)
    for definition in [found, *found.get("$defs", {}).values()]:
        definition.pop("description", None)
        for unordered in ("enum", "required"):
            definition.get(unordered, []).sort()
    return found


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize("model", RECORDED)
def test_generated_classes_are_those_that_are_built_at_run_time(
    schema_of, imported, model, mode
):
    schema = schema_of(model)
    module = imported(python_source([schema]))
    record, values = (
        getattr(module, name)
        for name in (class_name(model), values_name(class_name(model)))
    )
    assert shape(record, mode) == shape(record_model(schema), mode)
    assert shape(values, mode) == shape(values_model(schema), mode)
    assert (record.odoo_model, values.odoo_model) == (model, model)
    assert record.odoo_fingerprint == values.odoo_fingerprint == schema.fingerprint


def test_the_same_classes_come_out_together(schema_of, imported):
    schemas = [schema_of(model) for model in RECORDED]
    module = imported(python_source(schemas))
    for schema in schemas:
        record = getattr(module, class_name(schema.model))
        assert shape(record, "validation") == shape(record_model(schema), "validation")
    customer = module.SaleOrder.model_fields["partner_id"]
    assert customer.annotation == module.Ref[module.Partner]


def shuffled(schema: ModelSchema) -> ModelSchema:
    """Answer the schema with its fields and choices in another order."""
    return ModelSchema(
        schema.model,
        {
            name: replace(field, selection=field.selection[::-1])
            for name, field in reversed(schema.fields.items())
        },
    )


def test_order_makes_no_difference(schema_of):
    schemas = [schema_of(model) for model in RECORDED]
    others = [shuffled(schema) for schema in reversed(schemas)]
    assert json.dumps(json_schema(schemas)) == json.dumps(json_schema(others))
    assert typescript_source(schemas) == typescript_source(others)
    prints = {
        other.fingerprint: schema.fingerprint
        for schema, other in zip(reversed(schemas), others, strict=True)
    }
    found = re.sub(
        r"(?<=odoo_fingerprint: ClassVar\[str\] = \")\w+",
        lambda match: prints[match[0]],
        python_source(others),
    )
    assert found == python_source(schemas)


def test_another_language_changes_labels_alone(schema_of):
    schema = schema_of("sale.order")
    other = ModelSchema(
        schema.model,
        {
            name: replace(
                field,
                label=f"le {field.label}",
                selection=tuple((key, f"le {text}") for key, text in field.selection),
            )
            for name, field in schema.fields.items()
        },
    )
    tree, french = (
        [
            (type(node), getattr(node, "id", None), getattr(node, "name", None))
            for node in ast.walk(ast.parse(python_source([each])))
        ]
        for each in (schema, other)
    )
    assert tree == french


def test_no_models_make_an_empty_module(imported):
    assert imported(python_source([])).__doc__.startswith("Typed records")
    assert set(json_schema([])["$defs"]) == {"AnyRef", "Ref", "Target"}


def test_a_model_given_twice_with_different_fields_is_refused():
    other = ModelSchema("res.author", {"id": AUTHOR.field("id")})
    with pytest.raises(InvalidRequest, match=r"'res\.author' is given twice"):
        python_source([AUTHOR, other])
    assert python_source([AUTHOR, AUTHOR]) == python_source([AUTHOR])


def test_names_that_would_be_alike_stay_apart(imported):
    fields = {
        "a_b": Field("a_b", "selection", selection=(("x", "X"),)),
        "a__b": Field("a__b", "selection", selection=(("y", "Y"),)),
        "values": Field("values", "integer"),
    }
    models = ("x.partner", "x_partner", "x.partner.values", "x.partner.a.b", "odoo")
    schemas = [ModelSchema(model, fields) for model in models]
    schemas.append(
        ModelSchema("odoo", {"record": replace(fields["a_b"], name="record")})
    )
    module = imported(python_source(schemas[:-2] + schemas[-1:]))
    classes = [
        item
        for item in vars(module).values()
        if getattr(item, "odoo_model", None) in models
    ]
    assert len(classes) == 2 * len(models)


def test_a_field_may_be_called_like_anything_in_python(imported):
    names = ("class", "copy", "model_id", "_private", "int", "Field", "self", "json")
    schema = ModelSchema("x.y", {name: Field(name, "integer") for name in names})
    module = imported(python_source([schema]))
    read = module.XY.model_validate({"id": 1, **dict.fromkeys(names, 3)})
    assert sorted(read.odoo_fields()) == sorted(["id", *names])
    assert read.class_ == 3


# Nothing from Odoo becomes code

HOSTILE = (
    '"""\nimport os\n"""',
    "\\",
    '\\"""',
    "'; import os #",
    "*/ export const evil = 1; /*",
    "@ts-ignore",
    "a\u2028b\u2029c\x00d\x85e\r\nf",
    "\u202egnp.exe",
    "\ud800",
    "{0} %s {{}} `${evil}`",
    "",
    " ",
    "名前 \N{GRINNING FACE}",
)
SAFE = (
    ast.Module,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.ClassDef,
    ast.Expr,
    ast.AnnAssign,
    ast.Assign,
    ast.Constant,
    ast.Name,
    ast.Subscript,
    ast.Tuple,
    ast.BinOp,
    ast.BitOr,
    ast.Call,
    ast.keyword,
    ast.Attribute,
    ast.expr_context,
)


def hostile_schema(model: str, name: str, text: str) -> ModelSchema:
    """Answer a model that has a text wherever Odoo may put one."""
    key = text.encode(errors="replace").decode()
    field = Field(name, "char", label=text, help=text, size=3)
    choice = Field(
        "state",
        "selection",
        label=text,
        help=text,
        selection=((key, text), ("a", text)),
    )
    other = Field("other_id", "many2one", label=text, relation=text or "x")
    return ModelSchema(
        model,
        {name: field, "state": choice, "other_id": other, "id": AUTHOR.field("id")},
    )


def assert_harmless(source: str) -> None:
    """Check that a module does nothing but define classes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        assert isinstance(node, SAFE), ast.dump(node)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            assert node.func.id in ("Field", "Relation")
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("enum", "typing", "pydantic", "odooport.records")
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["datetime"]


def assert_plain(types: str) -> None:
    """Check that TypeScript has nothing of a hostile text outside comments and strings.

    Nor may a comment begin as those do that tell the compiler to look away.
    """
    code = re.sub(r"/\*.*?\*/|//[^\n]*|\"(\\.|[^\"\\])*\"", "", types)
    assert not re.search(r"evil|import|[^\w\x20-\x7e\n]|[`$%]", code)
    assert not re.search(r"/[/*]+\s*@", types)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_stays_a_label(imported, text):
    schema = hostile_schema("x.y", "name", text)
    labels = {"x.y": text}
    source = python_source([schema], labels=labels)
    assert_harmless(source)
    field = imported(source).XY.model_fields["name"]
    assert (field.title or "", field.description or "") == (text, text)
    described = json_schema([schema], labels=labels)["$defs"]["XY"]["properties"]
    assert described["name"].get("title", "") == text
    assert_plain(typescript_source([schema], labels=labels))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_model_or_field_never_becomes_code(text):
    for schema in (
        hostile_schema(text, "name", "x"),
        hostile_schema("x.y", text, "x"),
        hostile_schema(f"x{text}", f"x{text}", "x"),
    ):
        try:
            source = python_source([schema])
        except InvalidRequest:
            continue  # there is no code at all
        assert_harmless(source)
        assert_plain(typescript_source([schema]))


@pytest.mark.parametrize("name", ["a²", "a\u0300b\u2163"])
def test_a_name_that_python_would_read_differently_is_refused(name):
    schema = ModelSchema("x.y", {name: Field(name, "integer")})
    for generate in (python_source, json_schema, typescript_source):
        with pytest.raises(InvalidRequest, match="which is no identifier"):
            generate([schema])


@given(st.text(), st.text(), st.text())
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_becomes_code(model, name, text):
    try:
        source = python_source([hostile_schema(model, name, text)])
    except InvalidRequest:
        return
    assert_harmless(source)
    titles = [
        ast.literal_eval(keyword.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "title"
    ]
    assert set(titles) <= {text, "ID"}


# JSON Schema


def validator(schemas: Sequence[ModelSchema], name: str) -> Draft202012Validator:
    """Answer what checks values against one entry of the JSON Schema."""
    document: Mapping[str, Any] = json_schema(schemas)
    Draft202012Validator.check_schema(document)
    return Draft202012Validator({**document, "$ref": f"#/$defs/{name}"})


def test_each_model_has_an_entry_for_records_and_one_for_values(schema_of):
    found = json_schema([schema_of(model) for model in RECORDED])
    names = {class_name(model) for model in RECORDED}
    assert set(found["$defs"]) == {
        *names,
        *map(values_name, names),
        "AnyRef",
        "Ref",
        "Target",
    }
    Draft202012Validator.check_schema(found)


async def test_records_of_the_odoo_in_memory_fit(demo_gateway: MemoryGateway):
    credentials = Credentials("demo", "admin", "admin")
    odoo = Odoo.connect(demo_gateway, credentials)
    names = [info.model for info in await odoo.models()]
    schemas = {model: await odoo.fields(model) for model in names}
    document = json_schema(list(schemas.values()))
    checked = 0
    for model, schema in schemas.items():
        check = Draft202012Validator(
            {**document, "$ref": f"#/$defs/{class_name(model)}"}
        )
        fields = [name for name in schema.fields if name != "raw"]
        ids = await odoo.search(model)
        for record in await odoo.read(model, ids, fields=fields) if ids else []:
            check.validate(record)
            checked += 1
    assert checked > 50


def test_a_record_that_odoo_answered_fits(schema_of, answer_of):
    schema = schema_of("res.partner")
    check = validator([schema], "Partner")
    for record in answer_of("read-all-fields"):
        clean = record_out(schema, record)
        check.validate(clean)
        check.validate({"id": clean["id"], "name": clean["name"]})
        for name, wrong in [
            ("name", 3),
            ("type", "nothing"),
            ("country_id", 20),
            ("active", None),
            ("child_ids", None),
            ("no_field", "x"),
        ]:
            with pytest.raises(ValidationError):
                check.validate({**clean, name: wrong})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "Dune", "state": "in", "author_id": 3},
        {"name": {"en_US": "Dune", "fr_FR": "Dune"}, "author_id": "Frank Herbert"},
        {"author_id": {"external_id": "library.herbert"}, "price": "12.50"},
        {"author_id": {"id": 3, "name": "Frank Herbert"}, "tag_ids": [1, "SF"]},
        {"author_id": None, "tag_ids": {"add": [3], "create": [{"name": "SF"}]}},
        {"printed": "1965-08-01", "source": {"model": "x.gift", "id": 1}},
        {"traits": {"Colour": "blue"}, "extra": [1, {"a": None}], "cover": "AAAA"},
    ],
)
def test_values_that_the_doors_take_fit(values):
    validator([BOOK, AUTHOR], "LibraryBookValues").validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"id": 3},
        {"name": None},
        {"state": "lost"},
        {"pages": None},
        {"pages": "300"},
        {"price": "twelve"},
        {"author_id": {"city": "Tacoma"}},
        {"tag_ids": None},
        {"tag_ids": {"append": [3]}},
        {"class": "long"},
        {"titel": "Dune"},
    ],
)
def test_values_that_the_doors_refuse_do_not_fit(values):
    with pytest.raises(ValidationError):
        validator([BOOK, AUTHOR], "LibraryBookValues").validate(values)


def test_nested_values_are_those_of_the_related_model():
    check = validator([BOOK, AUTHOR], "AuthorValues")
    check.validate({"book_ids": {"create": [{"name": "Dune"}]}})
    with pytest.raises(ValidationError):
        check.validate({"book_ids": {"create": [{"pages": "many"}]}})


def test_what_is_generated_shares_nothing_that_can_be_changed():
    before = copy.deepcopy(json_schema([BOOK]))
    json_schema([BOOK])["$defs"]["Ref"]["properties"].clear()
    assert json_schema([BOOK]) == before


def test_formats_lengths_and_rights_are_told():
    found = json_schema([BOOK])["$defs"]["LibraryBook"]["properties"]
    assert found["printed"]["format"] == "date"
    assert found["lent"] == {
        "title": "Lent at",
        "readOnly": True,
        "type": ["string", "null"],
        "format": "date-time",
    }
    assert found["class"]["maxLength"] == 3
    assert found["state"]["enum"] == ["2nd", "in", "out"]


if __name__ == "__main__":
    for file, content in snapshots().items():
        (SNAPSHOTS / file).write_text(content, "utf-8")
