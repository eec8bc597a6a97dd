"""The server that the other tests stand on is what they believe it is."""

import xmlrpc.client
from typing import Any

import httpx2
import pytest

from .odoo_server import (
    FIRST_LANGUAGE,
    MODULES,
    SECOND_LANGUAGE,
    Account,
    OdooServer,
)


def execute_kw(
    server: OdooServer,
    account: Account,
    model: str,
    method: str,
    args: list[Any],
    **kwargs: Any,
) -> Any:
    """Call over XML-RPC with the standard library alone."""
    with xmlrpc.client.ServerProxy(f"{server.url}/xmlrpc/2/object") as proxy:
        return proxy.execute_kw(
            server.database, account.uid, account.api_key, model, method, args, kwargs
        )


@pytest.fixture(params=["admin", "seller", "new_yorker"])
def account(request: pytest.FixtureRequest, odoo_server: OdooServer) -> Account:
    account: Account = getattr(odoo_server, request.param)
    return account


@pytest.mark.parametrize("secret", ["password", "api_key"])
def test_everybody_logs_in_with_his_password_and_with_his_key(
    odoo_server: OdooServer, account: Account, secret: str
) -> None:
    with xmlrpc.client.ServerProxy(f"{odoo_server.url}/xmlrpc/2/common") as common:
        uid = common.authenticate(
            odoo_server.database, account.login, getattr(account, secret), {}
        )

    assert uid == account.uid


def test_json2_takes_the_key_since_odoo_19_and_is_a_redirect_before(
    odoo_server: OdooServer, account: Account
) -> None:
    answer = httpx2.post(
        f"{odoo_server.url}/json/2/res.partner/search_count",
        json={"domain": [["id", "=", 1]]},
        headers={
            "Authorization": f"bearer {account.api_key}",
            "X-Odoo-Database": odoo_server.database,
        },
        trust_env=False,
    )

    if odoo_server.has_json2:
        assert (answer.status_code, answer.json()) == (200, 1)
    else:
        assert answer.status_code == 303


def test_every_module_is_installed(odoo_server: OdooServer) -> None:
    modules = execute_kw(
        odoo_server,
        odoo_server.admin,
        "ir.module.module",
        "search_read",
        [[["name", "in", MODULES], ["state", "=", "installed"]]],
        fields=["name"],
    )

    assert sorted(module["name"] for module in modules) == sorted(MODULES)


def test_both_companies_have_a_chart_of_accounts(odoo_server: OdooServer) -> None:
    companies = [odoo_server.main_company, odoo_server.second_company]
    taxes = execute_kw(
        odoo_server,
        odoo_server.admin,
        "account.tax",
        "search_read",
        [[["company_id", "in", companies], ["type_tax_use", "=", "sale"]]],
        fields=["company_id"],
        context={"allowed_company_ids": companies},
    )

    assert {tax["company_id"][0] for tax in taxes} == set(companies)


def test_both_companies_have_a_warehouse(odoo_server: OdooServer) -> None:
    companies = [odoo_server.main_company, odoo_server.second_company]
    warehouses = execute_kw(
        odoo_server,
        odoo_server.seller,
        "stock.warehouse",
        "search_read",
        [[["company_id", "in", companies]]],
        fields=["company_id"],
        context={"allowed_company_ids": companies},
    )

    assert {one["company_id"][0] for one in warehouses} == set(companies)


def test_the_seller_alone_works_in_both_companies(odoo_server: OdooServer) -> None:
    both = {odoo_server.main_company, odoo_server.second_company}

    assert set(odoo_server.seller.company_ids) == both
    assert odoo_server.new_yorker.company_ids == (odoo_server.main_company,)


def test_countries_have_french_names(odoo_server: OdooServer) -> None:
    (country,) = execute_kw(
        odoo_server,
        odoo_server.seller,
        "res.country",
        "search_read",
        [[["code", "=", "DE"]]],
        fields=["name"],
        context={"lang": SECOND_LANGUAGE},
    )

    assert country["name"] == "Allemagne"


def test_a_user_carries_his_language_and_time_zone(odoo_server: OdooServer) -> None:
    account = odoo_server.new_yorker
    context = execute_kw(odoo_server, account, "res.users", "context_get", [])

    # Odoo answers another language where the user's own is not active.
    assert (context["lang"], context["tz"]) == (FIRST_LANGUAGE, "America/New_York")
    assert account.tz == "America/New_York"


@pytest.mark.parametrize("name", ["seller", "new_yorker"])
def test_nobody_but_the_administrator_has_settings_rights(
    odoo_server: OdooServer, name: str
) -> None:
    account = getattr(odoo_server, name)
    rights = [
        execute_kw(
            odoo_server,
            one,
            "res.users",
            "has_group",
            [[one.uid], "base.group_system"],
        )
        for one in (account, odoo_server.admin)
    ]

    assert rights == [False, True]
