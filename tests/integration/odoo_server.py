"""A real Odoo server for the tests: what they get, and how a database is made ready.

One way of preparing serves every server: a web session of the administrator, the same
on every version, and the only door through which Odoo mints an API key.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

MODULES = (
    "account",
    "base_import",
    "contacts",
    "crm",
    "hr",
    "project",
    "purchase",
    "sale_management",
    "stock",
)
"""What every server has installed, with what Odoo adds by itself (sale_crm, mail)."""

GROUPS = (
    "base.group_user",
    "base.group_allow_export",
    "base.group_partner_manager",
    "sales_team.group_sale_salesman",  # his own leads and orders, and nobody's
    "purchase.group_purchase_user",
    "stock.group_stock_user",
    "project.group_project_user",
)
"""The rights of the users who are not the administrator."""

FIRST_LANGUAGE = "en_US"
SECOND_LANGUAGE = "fr_FR"
SECOND_COMPANY = "Odooport Second"
CHART = "generic_coa"
KEY_DAYS = "7"  # one of Odoo's own choices; an ordinary user's key must expire
QUICK = httpx2.Timeout(60)
INSTALLING = httpx2.Timeout(900)


class NotReady(Exception):
    """This server cannot serve the tests; the message says what is missing."""


class OdooAnswered(Exception):
    """Odoo refused a call of the preparation."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the server and both of his secrets."""

    uid: int
    login: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    company_ids: tuple[int, ...]
    tz: str


@dataclass(frozen=True, slots=True)
class OdooServer:
    """A server whose database the tests may write to.

    ``admin`` holds every right. ``seller`` has no Settings rights; he sells, buys and
    edits contacts in both companies. ``new_yorker`` is a seller of the main company
    alone, whose clock stands at New York.
    """

    url: str
    database: str
    version: str
    major: int
    admin: Account
    seller: Account
    new_yorker: Account
    main_company: int
    second_company: int
    has_pdf: bool
    origin: str

    @property
    def has_json2(self) -> bool:
        """Whether the server has the transport that came with Odoo 19."""
        return self.major >= 19

    def __str__(self) -> str:
        pdf = "PDF reports" if self.has_pdf else "no PDF reports: it lacks wkhtmltopdf"
        return f"Odoo {self.version} from {self.origin}; {pdf}"


class WebSession:
    """What a browser does: log in once, then call models with a cookie."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self._url = url
        self._database = database
        self.login = login
        self.password = password
        self._http = httpx2.Client(base_url=url, timeout=QUICK, trust_env=False)
        try:
            info = self._post(
                "/web/session/authenticate",
                {"db": database, "login": login, "password": password},
            )
        except BaseException:  # whatever it was, it passes on
            self._http.close()
            raise
        if not info.get("uid"):
            self._http.close()
            raise OdooAnswered(f"{login!r} needs a second factor to log in")
        self.uid: int = info["uid"]
        self.version = str(info["server_version"])
        # 18, or "saas~18" as Odoo Online writes it
        self.major = int(str(info["server_version_info"][0]).rpartition("~")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def log_in(self, login: str, password: str) -> "WebSession":
        """Open another session on the same database."""
        return WebSession(self._url, self._database, login, password)

    def call(
        self,
        model: str,
        method: str,
        *args: Any,
        timeout: httpx2.Timeout = QUICK,
        **kwargs: Any,
    ) -> Any:
        """Call a model's public method; what returned None answers None."""
        call = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        return self._post("/web/dataset/call_kw", call, timeout)

    def _post(
        self, path: str, params: dict[str, Any], timeout: httpx2.Timeout = QUICK
    ) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self._http.post(path, json=body, timeout=timeout)
        answer.raise_for_status()
        content = answer.json()
        if "error" in content:
            data = content["error"].get("data", {})
            raise OdooAnswered(f"{data.get('name')}: {data.get('message')}")
        return content.get("result")


def wait_until_up(
    url: str,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the server answers.

    Raises:
        NotReady: it did not within the given time.
    """
    deadline = clock() + seconds
    while not _is_up(url):
        if clock() > deadline:
            raise NotReady(f"no Odoo answered within {seconds:.0f} seconds")
        pause(0.25)


def _is_up(url: str) -> bool:
    try:
        answer = httpx2.get(f"{url}/web/health", timeout=5, trust_env=False)
    except httpx2.TransportError:
        return False
    return answer.is_success


def prepare(
    url: str,
    database: str,
    login: str,
    password: str,
    *,
    origin: str,
    new_secret: Callable[[], str] = secrets.token_urlsafe,
) -> OdooServer:
    """Create what the tests need and the database lacks; change nothing else.

    The two users get a new password, everybody a new API key that expires by itself.

    Raises:
        NotReady: the login was refused, or a module does not exist on this server.
    """
    try:
        with WebSession(url, database, login, password) as web:
            _install_modules(web)
            _activate_languages(web)
            main, second = _companies(web)
            return OdooServer(
                url=url,
                database=database,
                version=web.version,
                major=web.major,
                admin=_account(web),
                seller=_user(
                    web,
                    login="odooport-seller",
                    name="Sam Seller",
                    tz="Europe/Brussels",
                    company_ids=(main, second),
                    password=new_secret(),
                ),
                new_yorker=_user(
                    web,
                    login="odooport-new-yorker",
                    name="Nat New-Yorker",
                    tz="America/New_York",
                    company_ids=(main,),
                    password=new_secret(),
                ),
                main_company=main,
                second_company=second,
                has_pdf=web.call("ir.actions.report", "get_wkhtmltopdf_state")
                in ("ok", "upgrade"),
                origin=origin,
            )
    except (httpx2.HTTPError, OdooAnswered) as error:
        raise NotReady(f"database {database!r} cannot be prepared: {error}") from error


def _install_modules(web: WebSession) -> None:
    found = web.call(
        "ir.module.module",
        "search_read",
        [["name", "in", MODULES]],
        ["name", "state"],
    )
    absent = sorted(set(MODULES) - {module["name"] for module in found})
    if absent:
        raise NotReady(f"the server has no module {', '.join(absent)}")
    missing = [module["id"] for module in found if module["state"] != "installed"]
    if missing:
        install = "button_immediate_install"
        web.call("ir.module.module", install, missing, timeout=INSTALLING)


def _activate_languages(web: WebSession) -> None:
    found = web.call(
        "res.lang",
        "search_read",
        [["code", "in", [FIRST_LANGUAGE, SECOND_LANGUAGE]]],
        ["code", "active"],
        context={"active_test": False},
    )
    languages = {language["code"]: language for language in found}
    # In a call of its own: within one transaction, another request can put the old
    # state into Odoo's cache, and the translations are then left out (seen on 18).
    inactive = [language["id"] for language in found if not language["active"]]
    if inactive:
        web.call("res.lang", "write", inactive, {"active": True})
    names = {
        web.call(
            "res.country",
            "search_read",
            [["code", "=", "DE"]],
            ["name"],
            context={"lang": code},
        )[0]["name"]
        for code in languages
    }
    if len(names) == 1:  # active, but not translated
        ids = [languages[SECOND_LANGUAGE]["id"]]
        values = {"lang_ids": [[6, 0, ids]], "overwrite": False}
        wizard = web.call("base.language.install", "create", values)
        web.call("base.language.install", "lang_install", [wizard], timeout=INSTALLING)


def _companies(web: WebSession) -> tuple[int, int]:
    """Answer the administrator's company and a second one, both ready to sell."""
    (user,) = web.call("res.users", "read", [web.uid], ["company_id"])
    main = user["company_id"][0]
    found = web.call("res.company", "search", [["name", "=", SECOND_COMPANY]])
    # Odoo adds a new company to the user who creates it.
    values = {"name": SECOND_COMPANY}
    second = found[0] if found else web.call("res.company", "create", values)
    for company in web.call("res.company", "read", [main, second], ["chart_template"]):
        if not company["chart_template"]:
            web.call(
                "account.chart.template",
                "try_loading",
                [],
                CHART,
                company["id"],
                timeout=INSTALLING,
                context={"allowed_company_ids": [company["id"]]},
            )
    for number, company in enumerate((main, second), start=1):
        # Odoo 19 leaves a company that comes after its module without a warehouse.
        mine = [["company_id", "=", company]]
        if not web.call("stock.warehouse", "search_count", mine):
            warehouse = {
                "name": f"Odooport {number}",
                "code": f"OP{number}",
                "company_id": company,
            }
            context = {"allowed_company_ids": [company]}
            web.call("stock.warehouse", "create", warehouse, context=context)
    return main, second


def _user(
    web: WebSession,
    *,
    login: str,
    name: str,
    tz: str,
    company_ids: Sequence[int],
    password: str,
) -> Account:
    """Create or renew a user without Settings rights."""
    # The field was renamed in Odoo 19: odoo/addons/base/models/res_users.py.
    groups_field = "group_ids" if web.major >= 19 else "groups_id"
    values = {
        "name": name,
        "login": login,
        "password": password,
        "email": f"{login}@example.com",  # nobody posts a note without one
        "active": True,
        "lang": FIRST_LANGUAGE,
        "tz": tz,
        "company_id": company_ids[0],
        "company_ids": [[6, 0, company_ids]],
        groups_field: [[6, 0, [_record(web, group) for group in GROUPS]]],
    }
    found = web.call(
        "res.users", "search", [["login", "=", login]], context={"active_test": False}
    )
    if found:
        web.call("res.users", "write", found, values)
    else:
        quiet = {"no_reset_password": True}  # no invitation by mail
        web.call("res.users", "create", values, context=quiet)
    with web.log_in(login, password) as own:
        return _account(own)


def _record(web: WebSession, external_id: str) -> int:
    module, _, name = external_id.partition(".")
    _, record_id = web.call("ir.model.data", "check_object_reference", module, name)
    return int(record_id)


def _account(web: WebSession) -> Account:
    (user,) = web.call("res.users", "read", [web.uid], ["company_ids", "tz"])
    return Account(
        uid=web.uid,
        login=web.login,
        password=web.password,
        api_key=_mint_key(web),
        company_ids=tuple(user["company_ids"]),
        tz=user["tz"] or "UTC",
    )


def _mint_key(web: WebSession) -> str:
    """Make an API key as the preferences dialog does: it asks for the password again.

    The password is the wizard's field in Odoo 18 and a context key since 19
    (odoo/addons/base/models/res_users.py, ``run_check``).
    """
    values = {"name": "Odooport's tests", "duration": KEY_DAYS}
    description = web.call("res.users.apikeys.description", "create", values)
    action = web.call("res.users.apikeys.description", "make_key", [description])
    check = "res.users.identitycheck"
    if action["res_model"] == check:
        asked = [action["res_id"]]
        if web.major < 19:
            web.call(check, "write", asked, {"password": web.password})
        action = web.call(check, "run_check", asked, context={"password": web.password})
    return str(action["context"]["default_key"])
