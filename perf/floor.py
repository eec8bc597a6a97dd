"""The bare SDK server that our MCP doors are held against: one tool, one plain call.

It has no guards, checks nothing and knows nothing of a schema. ``ODOO_URL``,
``ODOO_DB``, ``ODOO_USER`` and ``ODOO_PASSWORD`` name the Odoo; it logs in with the
first call.

Usage: ``python perf/floor.py stdio``, or ``python perf/floor.py http``
"""

import asyncio
import os
import socket
import sys
from functools import cache
from typing import Any
from xmlrpc.client import ServerProxy

import uvicorn
from mcp.server import MCPServer

server = MCPServer[Any]("floor", log_level="WARNING")


@cache
def _session() -> tuple[str, int, str, ServerProxy]:
    names = ("ODOO_URL", "ODOO_DB", "ODOO_USER", "ODOO_PASSWORD")
    url, database, user, password = (os.environ[name] for name in names)
    login: Any = ServerProxy(f"{url}/xmlrpc/2/common")
    uid = login.authenticate(database, user, password, {})
    return database, uid, password, ServerProxy(f"{url}/xmlrpc/2/object")


@server.tool()
async def search_records(
    model: str, fields: list[str], limit: int
) -> dict[str, list[dict[str, Any]]]:
    """Find records."""
    database, uid, password, odoo = _session()
    options = {"fields": fields, "limit": limit}
    call: Any = odoo.execute_kw
    rows = call(database, uid, password, model, "search_read", [[]], options)
    return {"records": rows}


async def _http() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    app = server.streamable_http_app(stateless_http=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(server.run_stdio_async() if sys.argv[1] == "stdio" else _http())
