"""The card that says where everything is, with lines that work when pasted."""

import json
import shlex


def base_address(host: str, port: int, *, tls: bool = False) -> str:
    """Answer the address that a program on this machine reaches the service at.

    Args:
        host: The address that it listens on.
        port: The port that it listens on.
        tls: Whether it serves TLS.
    """
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  this reads, and binds nothing
        host = "127.0.0.1"
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{'https' if tls else 'http'}://{place}"


def addresses(base: str) -> str:
    """Answer the lines that name the addresses."""
    return f"  REST  {base}/v1   (try it: {base}/docs)\n  MCP   {base}/mcp"


def demo_card(base: str, token: str) -> str:
    """Answer the card of the demo.

    Args:
        base: The address that the service is reached at.
        token: The API key that opens it.
    """
    question = f"{base}/v1/models/res.partner/records?fields=name,email&limit=3"
    curl = shlex.join(["curl", "-H", f"Authorization: Bearer {token}", question])
    configuration = {
        "mcpServers": {
            "odooport": {
                "type": "http",
                "url": f"{base}/mcp",
                "headers": {"Authorization": f"Bearer {token}"},
            }
        }
    }
    return "\n".join(
        [
            "",
            "Odooport with a demo company, all of it in memory: change what you like.",
            "",
            addresses(base),
            f"  Key   {token}",
            "",
            "Ask for three contacts:",
            "",
            f"  {curl}",
            "",
            "Connect an AI agent, in its MCP configuration:",
            "",
            json.dumps(configuration, indent=2),
            "",
            "Ctrl-C ends it.",
            "",
        ]
    )


def fake_odoo_card(base: str, database: str) -> str:
    """Answer the card of an Odoo in memory.

    Args:
        base: The address that it is reached at.
        database: The database's name.
    """
    login = ", ".join(repr(word) for word in (database, 2, "admin"))
    call = f"execute_kw({login}, 'res.partner', 'search_count', [[]])"
    code = f"import xmlrpc.client as x; print(x.ServerProxy('{base}/xmlrpc/2/object')."
    return "\n".join(
        [
            "",
            "An Odoo 18 in memory, with a demo company; all is forgotten at the end.",
            "",
            f"  Address    {base}",
            f"  Database   {database}",
            "  Users      admin, password admin (may do everything)",
            "             demo, password demo (a salesman)",
            "  Speaks     XML-RPC and JSON-RPC, and the routes of Odoo's web client",
            "",
            "Count the contacts:",
            "",
            f'  python3 -c "{code}{call})"',
            "",
            "Ctrl-C ends it.",
            "",
        ]
    )


def serve_card(base: str, *, has_keys: bool) -> str:
    """Answer the card of a service over a real Odoo.

    Args:
        base: The address that the service is reached at.
        has_keys: Whether anybody can come in yet.
    """
    hint = (
        "  Key   as 'Authorization: Bearer odp_...'; see 'odooport keys list'"
        if has_keys
        else "  Key   none yet: make one with 'odooport keys create NAME --role reader'"
    )
    return "\n".join(["", "Odooport", "", addresses(base), hint, ""])
