"""A day of a seller, through every door, on a real Odoo.

He has no Settings rights, works in the second company, in French, and sits in New York
while his profile says Brussels.
"""

import base64
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import uuid4

import pytest

from .doors import Door, Refused, door_of
from .odoo_server import (
    FIRST_LANGUAGE,
    SECOND_LANGUAGE,
    OdooAnswered,
    OdooServer,
    WebSession,
)

type Entrance = AbstractAsyncContextManager[Door]

NEW_YORK = "America/New_York"
LATE_IN_JANUARY = "2026-02-01T03:00:00Z"  # ten in the evening of the 31st in New York
IN_FEBRUARY = "2026-02-01T06:00:00Z"
NOWHERE = 99_999_999
LETTER = base64.b64encode("Bonjour à tous\n".encode()).decode()


def clear(web: WebSession, mark: str, companies: list[int]) -> None:
    """Delete what bears the mark, or archive what other records need."""
    context = {
        "allowed_company_ids": companies,
        "active_test": False,
        "disable_cancel_warning": True,  # cancel, and do not ask back
    }
    for model, field in (
        ("sale.order", "client_order_ref"),
        ("crm.lead", "name"),
        ("res.partner", "name"),
        ("product.product", "name"),
    ):
        own = [[field, "=like", f"{mark}%"]]
        for record in web.call(model, "search", own, context=context):
            if model == "sale.order":
                web.call(model, "action_cancel", [record], context=context)
            try:
                web.call(model, "unlink", [record], context=context)
            except OdooAnswered:
                web.call(model, "action_archive", [record], context=context)


@pytest.fixture
def mark() -> str:
    """Letters that no other record has."""
    return f"zz{uuid4().hex[:10]}"


@pytest.fixture
def product(odoo_server: OdooServer, mark: str) -> Generator[int]:
    """Something to sell, which a seller cannot create; all goes away with it."""
    admin = odoo_server.admin
    both = [odoo_server.main_company, odoo_server.second_company]
    with WebSession(
        odoo_server.url, odoo_server.database, admin.login, admin.password
    ) as web:
        values = {"name": mark, "list_price": 20, "taxes_id": [[6, 0, []]]}
        yield web.call("product.product", "create", values)
        clear(web, mark, both)


@pytest.fixture(params=["rest", "mcp-http", "mcp-stdio"])
def entrance(
    request: pytest.FixtureRequest, odoo_server: OdooServer, tmp_path: Path
) -> Entrance:
    """A door that a test enters by itself: MCP's client must leave where it came in."""
    return door_of(request.param, odoo_server, tmp_path)


def abroad(door: Door, odoo_server: OdooServer) -> Door:
    """The same door, in the second company, in French, in New York."""
    return door.looking(
        company=odoo_server.second_company, lang=SECOND_LANGUAGE, tz=NEW_YORK
    )


async def test_a_lead_becomes_an_order_and_is_added_up_and_archived(
    entrance: Entrance, odoo_server: OdooServer, product: int, mark: str
):
    async with entrance as door:
        seller = abroad(door, odoo_server)
        company = odoo_server.second_company
        assert (await seller.whoami())["login"] == odoo_server.seller.login

        # a lead with a contact
        (germany,) = await seller.find("res.country", [["code", "=", "DE"]], "name")
        assert germany["name"] == "Allemagne"
        contact = await seller.create(
            "res.partner", {"name": f"{mark} Zoë", "country_id": germany}
        )
        lead = await seller.create(
            "crm.lead",
            {
                "name": mark,
                "partner_id": contact,
                "expected_revenue": 100,
                "company_id": company,
            },
        )
        found = await seller.read("crm.lead", lead, "partner_id", "user_id", "active")
        assert found["partner_id"] == {"id": contact, "name": f"{mark} Zoë"}
        assert found["user_id"]["id"] == odoo_server.seller.uid
        assert found["active"] is True

        # a quotation with lines
        orders: list[int] = []
        for quantity in (3, 2):
            line = {
                "product_id": product,
                "product_uom_qty": quantity,
                "price_unit": 20.5,
            }
            orders.append(
                await seller.create(
                    "sale.order",
                    {
                        "partner_id": {"id": contact},
                        "opportunity_id": lead,
                        "client_order_ref": mark,
                        "order_line": [[0, 0, line]],
                    },
                )
            )
        first, second = orders
        fields = (
            "state",
            "amount_untaxed",
            "company_id",
            "opportunity_id",
            "order_line",
        )
        quotation = await seller.read("sale.order", first, *fields)
        assert quotation["state"] == "draft"
        assert quotation["amount_untaxed"] == 61.5
        assert quotation["company_id"]["id"] == company
        assert quotation["opportunity_id"] == {"id": lead, "name": mark}
        (line,) = quotation["order_line"]
        sold = await seller.read(
            "sale.order.line", line, "product_id", "product_uom_qty"
        )
        assert sold["product_id"]["id"] == product
        assert sold["product_uom_qty"] == 3

        # confirmed, in both meanings of the word
        for order in orders:
            assert await seller.call("sale.order", "action_confirm", order) is True
        confirmed = await seller.read("sale.order", first, "state", "date_order")
        assert confirmed["state"] == "sale"
        assert confirmed["date_order"].endswith("Z")

        # totals by month, where a month begins at the caller's midnight
        await seller.update("sale.order", first, {"date_order": LATE_IN_JANUARY})
        await seller.update("sale.order", second, {"date_order": IN_FEBRUARY})
        ours = [["id", "in", orders]]
        months = "date_order:month"
        total = "amount_untaxed:sum"
        assert await seller.groups("sale.order", ours, months, total) == [
            {
                months: {
                    "from": "2026-01-01T05:00:00Z",
                    "to": "2026-02-01T05:00:00Z",
                    "label": "janvier 2026",
                },
                "__count": 1,
                total: 61.5,
            },
            {
                months: {
                    "from": "2026-02-01T05:00:00Z",
                    "to": "2026-03-01T05:00:00Z",
                    "label": "février 2026",
                },
                "__count": 1,
                total: 41,
            },
        ]
        in_brussels = seller.looking(tz="Europe/Brussels")
        assert await in_brussels.groups("sale.order", ours, months, total) == [
            {
                months: {
                    "from": "2026-01-31T23:00:00Z",
                    "to": "2026-02-28T23:00:00Z",
                    "label": "février 2026",
                },
                "__count": 2,
                total: 102.5,
            }
        ]

        # in the main company there is no such order
        elsewhere = door.looking(company=odoo_server.main_company)
        assert await elsewhere.find("sale.order", ours, "name") == []

        # archived: hidden unless asked for
        await seller.update("crm.lead", lead, {"active": False})
        this = [["id", "=", lead]]
        assert await seller.find("crm.lead", this, "name") == []
        everything = seller.looking(archived=True)
        assert await everything.find("crm.lead", this, "name") == [
            {"id": lead, "name": mark}
        ]


async def test_a_file_and_a_note_stay_with_their_record(
    entrance: Entrance, odoo_server: OdooServer, product: int, mark: str
):
    async with entrance as door:
        seller = abroad(door, odoo_server)
        contact = await seller.create("res.partner", {"name": mark})

        file = await seller.create(
            "ir.attachment",
            {
                "name": "lettre à tous.txt",
                "datas": LETTER,
                "res_model": "res.partner",
                "res_id": contact,
            },
        )
        fields = ("name", "datas", "file_size", "mimetype", "res_id")
        read = await seller.read("ir.attachment", file, *fields)
        assert {name: read[name] for name in fields[:-1]} == {
            "name": "lettre à tous.txt",
            "datas": LETTER,
            "file_size": 16,
            "mimetype": "text/plain",
        }

        note = await seller.call(
            "res.partner", "message_post", contact, body="Rappeler < lundi",
            subtype_xmlid="mail.mt_note",
        )  # fmt: skip
        message = await seller.read(
            "mail.message", note, "body", "model", "res_id", "subtype_id", "author_id"
        )
        assert "Rappeler &lt; lundi" in message["body"]
        assert message["model"] == "res.partner"
        assert message["subtype_id"]["name"] == "Note"
        assert message["author_id"]["name"].endswith("Sam Seller")

        await seller.delete("ir.attachment", file)
        with pytest.raises(Refused) as caught:
            await seller.read("ir.attachment", file, "name")
        assert caught.value.code == "record_missing"


async def test_labels_and_refusals_speak_the_callers_language(
    entrance: Entrance, odoo_server: OdooServer, product: int, mark: str
):
    async with entrance as door:
        seller = abroad(door, odoo_server)
        in_english = door.looking(lang=FIRST_LANGUAGE)
        contact = await seller.create("res.partner", {"name": mark})
        order = await seller.create(
            "sale.order", {"partner_id": contact, "client_order_ref": mark}
        )
        await seller.call("sale.order", "action_cancel", order)

        for caller, phone, refusal, denial in (
            (seller, "Téléphone", "Certaines commandes", "Vous n'êtes pas autorisé"),
            (in_english, "Phone", "Some orders are not", "You are not allowed"),
        ):
            assert await caller.labels("res.partner", "phone") == {"phone": phone}

            with pytest.raises(Refused, match=refusal) as caught:
                await caller.call("sale.order", "action_confirm", order)
            assert caught.value.code == "odoo_refused"

            with pytest.raises(Refused, match=denial) as caught:
                await caller.delete("sale.order", order)
            assert caught.value.code == "odoo_access_denied"


async def test_what_the_seller_may_not_use_is_an_error_and_never_the_default(
    entrance: Entrance, odoo_server: OdooServer
):
    async with entrance as door:
        seller = abroad(door, odoo_server)
        refusals: dict[str, str] = {}
        for name, wrong in (
            ("company", NOWHERE),
            ("lang", "zz_ZZ"),
            ("tz", "Mars/Olympus"),
            ("instance", "elsewhere"),
        ):
            with pytest.raises(Refused) as caught:
                await seller.looking(**{name: wrong}).find("res.partner", [], "name")
            refusals[name] = caught.value.code
        assert refusals == {
            "company": "odoo_access_denied",
            "lang": "invalid_request",
            "tz": "invalid_request",
            "instance": "invalid_request",
        }
        with pytest.raises(Refused) as caught:
            await seller.find("ir.config_parameter", [], "key")
        assert caught.value.code == "permission_denied"
