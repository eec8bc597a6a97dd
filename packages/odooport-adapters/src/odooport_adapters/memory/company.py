"""The data of an Odoo in memory: what each one holds, and the demo company's.

Ids are those of a real Odoo where clients know them by heart: user 2 is ``admin``,
6 is ``demo``, country 20 is Belgium and 233 the United States.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from odooport_adapters.memory import externals
from odooport_adapters.memory.environment import (
    Environment,
    shown_moment,
    text_column,
)
from odooport_adapters.memory.writing import create, put

_BOT, _ADMIN, _DEMO = 1, 2, 6
_COMPANY = 1
_EURO = 125

_CURRENCIES = (
    (1, "USD", "$", "US Dollar", "before"),
    (_EURO, "EUR", "€", "Euro", "after"),
    (142, "GBP", "£", "Pound sterling", "before"),
)
_LANGUAGES = (
    (1, "en_US", "English (US)", "en", True),
    (2, "fr_FR", "French / Français", "fr", False),
    (3, "nl_NL", "Dutch / Nederlands", "nl", False),
)
_COUNTRIES = (
    (20, "Belgium", "BE", 32, _EURO),
    (43, "Switzerland", "CH", 41, None),
    (57, "Germany", "DE", 49, _EURO),
    (68, "Spain", "ES", 34, _EURO),
    (75, "France", "FR", 33, _EURO),
    (109, "Italy", "IT", 39, _EURO),
    (133, "Luxembourg", "LU", 352, _EURO),
    (165, "Netherlands", "NL", 31, _EURO),
    (231, "United Kingdom", "GB", 44, 142),
    (233, "United States", "US", 1, 1),
)
_STATES = (
    (1, "California", "CA", 233),
    (2, "New York", "NY", 233),
    (3, "Oregon", "OR", 233),
    (4, "Noord-Holland", "NH", 165),
)
_STATE_NAMES = ("us_5", "us_27", "us_32", "nl_nh")
_STAGES = (
    ("New", 0, False),
    ("Qualified", 1, False),
    ("Proposition", 2, False),
    ("Won", 70, True),
)
_FRENCH: Mapping[str, Mapping[int, str]] = {
    "res.country": {
        20: "Belgique",
        43: "Suisse",
        57: "Allemagne",
        68: "Espagne",
        109: "Italie",
        133: "Luxembourg",
        165: "Pays-Bas",
        231: "Royaume-Uni",
        233: "États-Unis",
    },
    "crm.stage": {1: "Nouveau", 2: "Qualifié", 4: "Gagné"},
    "crm.team": {1: "Ventes"},
    "uom.uom": {1: "Unité(s)", 2: "Heures"},
}
"""Names to be read as soon as somebody makes French an active language."""

_PARAMETERS = (
    ("database.create_date", "2026-01-05 08:00:00"),
    ("mail.catchall.alias", "catchall"),
    ("web.base.url", "https://odoo.example.com"),
)

_MODULES = (
    # name, label, version, whether it is an application
    ("base", "Base", "1.3", False),
    ("contacts", "Contacts", "1.0", True),
    ("crm", "CRM", "1.8", True),
    ("mail", "Discuss", "1.18", True),
    ("product", "Products & Pricelists", "1.2", False),
    ("sale", "Sales", "1.2", False),
    ("sale_crm", "Opportunity to Quotation", "1.0", False),
    ("sale_management", "Sales", "1.0", True),
    ("sales_team", "Sales Teams", "1.1", False),
    ("uom", "Units of measure", "1.0", False),
    ("web", "Web", "1.0", False),
)
_NAMES = (
    ("base.main_company", "res.company", 1),
    ("base.main_partner", "res.partner", 1),
    ("base.partner_root", "res.partner", 2),
    ("base.partner_admin", "res.partner", 3),
    ("base.partner_demo", "res.partner", 7),
    ("base.user_root", "res.users", 1),
    ("base.user_admin", "res.users", 2),
    ("base.user_demo", "res.users", 6),
    ("base.lang_en", "res.lang", 1),
    ("base.lang_fr", "res.lang", 2),
    ("base.lang_nl", "res.lang", 3),
    ("mail.mt_comment", "mail.message.subtype", 1),
    ("mail.mt_note", "mail.message.subtype", 2),
    ("mail.mt_activities", "mail.message.subtype", 3),
    ("product.product_category_all", "product.category", 1),
    ("sales_team.team_sales_department", "crm.team", 1),
    ("uom.product_uom_unit", "uom.uom", 1),
    ("uom.product_uom_hour", "uom.uom", 2),
)

_TAGS = ("Prospect", "Supplier", "Reseller", "Key account")
_SALES_TAGS = ("Product", "Training", "Services", "Information")

_COMPANIES = (
    # name, country, city, street, zip, VAT, tags, contacts
    ("Bakkerij Van Damme", 20, "Gent", "Korenmarkt 4", "9000", "BE0477472701", (0,)),
    ("Brasserie du Parc", 20, "Namur", "Rue de Fer 18", "5000", "BE0428759497", ()),
    ("Atelier Lumière", 75, "Lyon", "12 rue Mercière", "69002", None, (3,)),
    ("Librairie des Quais", 75, "Bordeaux", "3 quai Louis XVIII", "33000", None, (2,)),
    ("Hansen Möbel", 57, "Hamburg", "Elbchaussee 77", "22763", "DE136695976", (3,)),
    ("Kontor Digital", 57, "Berlin", "Torstraße 140", "10119", None, ()),
    ("Officina Rossi", 109, "Torino", "Via Po 21", "10124", None, (1,)),
    ("Grachten Fietsen", 165, "Amsterdam", "Keizersgracht 99", "1015 CH", None, (2,)),
    ("Tulip Office Supplies", 165, "Utrecht", "Oudegracht 30", "3511 AP", None, (1,)),
    ("Cedar & Finch", 231, "Bristol", "8 Park Street", "BS1 5HX", None, (0, 3)),
    ("Sierra Outdoor", 233, "San Diego", "410 Harbor Drive", "92101", None, ()),
    ("Hudson Analytics", 233, "New York", "55 Water Street", "10041", None, (3,)),
)
_STATE_OF = {"Amsterdam": 4, "San Diego": 1, "New York": 2}
_CONTACTS = (
    (("Els Claes", "Owner"), ("Joris Maes", "Baker"), ("Lotte Wouters", "Accounting")),
    (("Nadia Lambert", "Manager"), ("Théo Dubois", "Chef")),
    (("Camille Girard", "Director"), ("Hugo Lefèvre", "Designer")),
    (("Inès Caron", "Bookseller"), ("Paul Mercier", "Purchasing")),
    (("Jonas Hansen", "Owner"), ("Mia Krüger", "Sales"), ("Ole Petersen", "Warehouse")),
    (("Leyla Demir", "CTO"), ("Felix Braun", "Consultant")),
    (("Marco Rossi", "Owner"), ("Giulia Conti", "Accounting")),
    (("Sanne de Vries", "Owner"), ("Daan Bakker", "Mechanic")),
    (("Femke Visser", "Sales"), ("Bram Jansen", "Logistics")),
    (("Olivia Finch", "Partner"), ("Harry Cedar", "Partner"), ("Ruth Bell", "Office")),
    (("Diego Ramos", "Store manager"), ("Kelly Park", "Purchasing")),
    (("Priya Nair", "Head of data"), ("Sam O'Neil", "Analyst")),
)
_PRODUCTS = (
    # code, name, price, cost, type, category
    ("DESK01", "Standing desk", 640.0, 410.0, "consu", 1),
    ("DESK02", "Corner desk", 480.0, 300.0, "consu", 1),
    ("CHAIR1", "Office chair", 189.5, 96.0, "consu", 1),
    ("CHAIR2", "Visitor chair", 79.9, 38.0, "consu", 1),
    ("LAMP01", "Desk lamp", 45.0, 17.5, "consu", 1),
    ("CAB001", "Filing cabinet", 235.0, 140.0, "consu", 1),
    ("BOARD1", "Whiteboard", 120.0, 61.0, "consu", 1),
    ("SERV01", "Assembly, per hour", 55.0, 30.0, "service", 2),
    ("SERV02", "Office planning", 450.0, 220.0, "service", 2),
    ("SERV03", "Maintenance, per year", 300.0, 90.0, "service", 2),
)
_LEADS = (
    # name, company, stage, user, revenue, priority, tags, closing in days
    ("Twelve desks for the new floor", 0, 1, _ADMIN, 7680.0, "2", (0,), 20),
    ("Terrace furniture", 1, 0, _DEMO, 2400.0, "1", (0,), 35),
    ("Lighting for the studio", 2, 2, _ADMIN, 1350.0, "1", (0, 2), 12),
    ("Shelves and cabinets", 3, 1, None, 1880.0, "0", (0,), 40),
    ("Showroom in Altona", 4, 3, _ADMIN, 15400.0, "3", (0, 2), -5),
    ("Desks for remote teams", 5, 2, _DEMO, 9600.0, "2", (0,), 15),
    ("Workshop training", 6, 0, None, 900.0, "0", (1,), 60),
    ("Waiting room chairs", 7, 1, _ADMIN, 960.0, "1", (0,), 25),
    ("Reseller agreement", 8, 2, _ADMIN, 22000.0, "3", (3,), 30),
    ("Office planning in Bristol", 9, 3, _DEMO, 4500.0, "2", (2,), -12),
    ("Store refit", 10, 0, _DEMO, 11800.0, "1", (0, 2), 75),
    ("Data room", 11, 1, _ADMIN, 6200.0, "2", (0,), 45),
    ("Call back about whiteboards", None, 0, None, 0.0, "0", (), None),
    ("Annual maintenance", 11, 2, _ADMIN, 3000.0, "1", (2,), 18),
    ("Lamps for the reading corner", 3, 0, _DEMO, 450.0, "0", (0,), None),
)
_ORDERS = (
    # company, user, days ago, state, lines of (product, quantity, discount)
    (0, _ADMIN, 95, "sale", ((0, 4, 0), (7, 6, 0))),
    (4, _ADMIN, 88, "sale", ((0, 10, 10), (2, 10, 10), (7, 16, 0))),
    (9, _DEMO, 64, "sale", ((8, 2, 0),)),
    (2, _ADMIN, 61, "cancel", ((4, 30, 5),)),
    (11, _ADMIN, 40, "sale", ((9, 3, 0), (6, 2, 0))),
    (7, None, 33, "sale", ((3, 12, 0),)),
    (5, _DEMO, 29, "sent", ((0, 12, 15), (2, 12, 15))),
    (8, _ADMIN, 12, "sent", ((1, 20, 20), (5, 8, 0))),
    (1, _DEMO, 6, "draft", ((3, 24, 0), (4, 12, 0))),
    (3, None, 3, "draft", ((5, 6, 0), (6, 1, 0), (7, 4, 0))),
)
_INTERNAL = (
    "base.group_user",
    "base.group_partner_manager",
    "base.group_allow_export",
    "sales_team.group_sale_salesman",
)


def _at(
    env: Environment, model: str, record_id: int, values: Mapping[str, Any]
) -> None:
    """Create a record under an id of its own."""
    table = env.table(model)
    after, table.next_id = table.next_id, record_id
    create(env, env.model(model), [values])
    table.next_id = max(after, record_id + 1)


def _ago(env: Environment, days: float) -> Environment:
    """Answer the same view at an earlier time."""
    return Environment(
        env.registry,
        env.store,
        env.uid,
        env.context,
        env.now - timedelta(days=days),
        superuser=True,
    )


def found_company(env: Environment) -> None:
    """Create what every Odoo holds: groups, places, one company and its users."""
    for key, full_name in env.registry.groups.items():
        group = create(
            env, env.model("res.groups"), [{"name": full_name.rpartition(" / ")[2]}]
        )
        put(env, env.model("res.groups"), group[0], {"key": key})
    for number, name, symbol, full_name, position in _CURRENCIES:
        currency = {"name": name, "symbol": symbol, "full_name": full_name}
        decimals = {"position": position, "rounding": 0.01, "decimal_places": 2}
        _at(env, "res.currency", number, {**currency, **decimals})
    for number, code, name, short, active in _LANGUAGES:
        language = {"code": code, "iso_code": short, "url_code": short, "name": name}
        formats = {
            "direction": "ltr",
            "date_format": "%m/%d/%Y",
            "time_format": "%H:%M:%S",
            "decimal_point": ".",
            "thousands_sep": ",",
            "week_start": "7" if code == "en_US" else "1",
        }
        _at(env, "res.lang", number, {**language, **formats, "active": active})
    for number, name, code, phone, currency_id in _COUNTRIES:
        country = {"name": name, "code": code, "phone_code": phone}
        _at(env, "res.country", number, {**country, "currency_id": currency_id})
    for number, name, code, country_id in _STATES:
        state = {"name": name, "code": code, "country_id": country_id}
        _at(env, "res.country.state", number, state)
    _staff(env)


def _staff(env: Environment) -> None:
    _at(
        env,
        "res.partner",
        1,
        {
            "name": "Plane & Oak Furniture",
            "is_company": True,
            "email": "info@planeandoak.example.com",
            "phone": "+32 2 555 01 00",
            "website": "https://planeandoak.example.com",
            "street": "Rue Haute 210",
            "city": "Brussels",
            "zip": "1000",
            "country_id": 20,
            "vat": "BE0403019261",
        },
    )
    _at(env, "res.company", _COMPANY, {"partner_id": 1, "currency_id": _EURO})
    groups = env.table("res.groups").rows
    everything = list(groups)
    internal = [group for group, row in groups.items() if row["key"] in _INTERNAL]
    people = (
        (_BOT, 2, "OdooBot", "__system__", None, "odoobot@example.com", everything),
        (_ADMIN, 3, "Alice Admin", "admin", "admin", "admin@example.com", everything),
        (_DEMO, 7, "Danny Demo", "demo", "demo", "demo@example.com", internal),
    )
    for uid, partner, name, login, password, email, rights in people:
        contact = {"name": name, "email": email, "tz": "Europe/Brussels"}
        _at(env, "res.partner", partner, {**contact, "parent_id": 1})
        _at(
            env,
            "res.users",
            uid,
            {
                "partner_id": partner,
                "login": login,
                "password": password,
                "active": uid != _BOT,
                "company_id": _COMPANY,
                "company_ids": [[6, 0, [_COMPANY]]],
                "groups_id": [[6, 0, rights]],
            },
        )
    env.table("res.partner").next_id = 10


def set_up_shop(env: Environment) -> None:
    """Create what the modules of an Odoo bring along: stages, units, a team."""
    create(
        env,
        env.model("ir.config_parameter"),
        [{"key": key, "value": value} for key, value in _PARAMETERS],
    )
    create(
        env,
        env.model("ir.module.module"),
        [
            {
                "name": name,
                "shortdesc": label,
                "state": "installed",
                "installed_version": f"18.0.{release}",
                "latest_version": f"18.0.{release}",
                "application": application,
                "author": "Odoo S.A.",
                "license": "LGPL-3",
            }
            for name, label, release, application in _MODULES
        ],
    )
    create(
        env,
        env.model("mail.message.subtype"),
        [
            {"name": "Discussions", "internal": False, "sequence": 0},
            {"name": "Note", "internal": True, "default": False, "sequence": 100},
            {"name": "Activities", "internal": True, "default": False, "sequence": 90},
        ],
    )
    create(env, env.model("uom.uom"), [{"name": "Units"}])
    create(env, env.model("uom.uom"), [{"name": "Hours"}])
    create(
        env,
        env.model("product.category"),
        [{"name": "All"}, {"name": "Services", "parent_id": 1}],
    )
    create(
        env,
        env.model("crm.stage"),
        [
            {"name": name, "sequence": sequence, "is_won": won}
            for name, sequence, won in _STAGES
        ],
    )
    create(
        env,
        env.model("crm.team"),
        [{"name": "Sales", "user_id": _ADMIN, "member_ids": [[6, 0, [_ADMIN, _DEMO]]]}],
    )
    for model, names in _FRENCH.items():
        for record_id, name in names.items():
            french = {text_column("name", "fr_FR"): name}
            put(env, env.model(model), record_id, french)


def name_records(env: Environment) -> None:
    """Give the records that Odoo's modules bring along their external ids."""
    for name, model, record_id in _NAMES:
        externals.give(env, name, model, record_id, noupdate=True)
    for group, row in env.table("res.groups").rows.items():
        externals.give(env, row["key"], "res.groups", group, noupdate=True)
    for country, _, code, *_ in _COUNTRIES:
        name = "uk" if code == "GB" else code.lower()
        externals.give(env, f"base.{name}", "res.country", country, noupdate=True)
    for (state, *_), name in zip(_STATES, _STATE_NAMES, strict=True):
        name = f"base.state_{name}"
        externals.give(env, name, "res.country.state", state, noupdate=True)
    for currency, name, *_ in _CURRENCIES:
        externals.give(env, f"base.{name}", "res.currency", currency, noupdate=True)
    for number, stage in enumerate(env.table("crm.stage").rows, 1):
        name = f"crm.stage_lead{number}"
        externals.give(env, name, "crm.stage", stage, noupdate=True)
    for number, module in enumerate(env.table("ir.module.module").rows.values(), 1):
        name = f"base.module_{module['name']}"
        externals.give(env, name, "ir.module.module", number, noupdate=True)


def hire_and_sell(env: Environment, extra_partners: int) -> None:
    """Create the demo company's contacts, products, leads and orders."""
    tags = create(
        env, env.model("res.partner.category"), [{"name": name} for name in _TAGS]
    )
    create(env, env.model("crm.tag"), [{"name": name} for name in _SALES_TAGS])
    companies = [_customer(env, index, tags) for index in range(len(_COMPANIES))]
    products = create(
        env,
        env.model("product.product"),
        [
            {
                "default_code": code,
                "name": name,
                "list_price": price,
                "standard_price": cost,
                "type": kind,
                "categ_id": category,
                "uom_id": 2 if "per hour" in name else 1,
            }
            for code, name, price, cost, kind, category in _PRODUCTS
        ],
    )
    _leads(env, companies)
    _orders(env, companies, products)
    _crowd(env, extra_partners)


def _customer(env: Environment, index: int, tags: Sequence[int]) -> int:
    name, country, city, street, postcode, vat, labels = _COMPANIES[index]
    domain = "".join(letter for letter in name.lower() if letter.isascii())
    host = domain.replace(" ", "").replace("&", "and") + ".example.com"
    where = {
        "street": street,
        "city": city,
        "zip": postcode,
        "country_id": country,
        "state_id": _STATE_OF.get(city, False),
    }
    company = {
        "name": name,
        "is_company": True,
        "email": f"info@{host}",
        "phone": f"+32 2 555 10 {index:02}",
        "website": f"https://{host}",
        "vat": vat or False,
        "category_id": [[6, 0, [tags[label] for label in labels]]],
        "user_id": (_ADMIN, _DEMO, False)[index % 3],
        "customer_rank": 1,
        "comment": f"<p>Customer since {2015 + index}.</p>",
        "child_ids": [
            [
                0,
                0,
                {
                    "name": person,
                    "function": role,
                    "email": f"{person.split()[0].lower()}@{host}",
                    **where,
                },
            ]
            for person, role in _CONTACTS[index]
        ],
        **where,
    }
    earlier = _ago(env, 200 - 7 * index)
    return create(earlier, env.model("res.partner"), [company])[0]


def _leads(env: Environment, companies: Sequence[int]) -> None:
    stages = list(env.table("crm.stage").rows)
    chances = (10.0, 30.0, 60.0, 100.0)
    for index, lead in enumerate(_LEADS):
        name, company, stage, user, revenue, priority, labels, days = lead
        deadline = env.now + timedelta(days=days or 0)
        values = {
            "name": name,
            "partner_id": False if company is None else companies[company],
            "stage_id": stages[stage],
            "probability": chances[stage],
            "user_id": user or False,
            "expected_revenue": revenue,
            "priority": priority,
            "tag_ids": [[6, 0, [label + 1 for label in labels]]],
            "date_deadline": False if days is None else deadline.strftime("%Y-%m-%d"),
        }
        create(_ago(env, 60 - 4 * index), env.model("crm.lead"), [values])


def _orders(
    env: Environment, companies: Sequence[int], products: Sequence[int]
) -> None:
    for company, user, days, state, lines in _ORDERS:
        earlier = _ago(env, days)
        values = {
            "partner_id": companies[company],
            "user_id": user or False,
            "state": state,
            "date_order": shown_moment(earlier.moment),
            "order_line": [
                [
                    0,
                    0,
                    {
                        "product_id": products[product],
                        "product_uom_qty": quantity,
                        "discount": discount,
                    },
                ]
                for product, quantity, discount in lines
            ],
        }
        create(earlier, env.model("sale.order"), [values])


def _crowd(env: Environment, size: int) -> None:
    """Create more contacts, for load tests."""
    countries = [country[0] for country in _COUNTRIES]
    create(
        env,
        env.model("res.partner"),
        [
            {
                "name": f"Contact {number:05}",
                "email": f"contact{number:05}@example.com",
                "country_id": countries[number % len(countries)],
                "city": "Brussels" if number % 2 else "Utrecht",
                "color": number % 12,
            }
            for number in range(size)
        ],
    )
