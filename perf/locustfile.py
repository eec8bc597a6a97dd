"""Who loads Odooport: users of REST, of MCP over HTTP, and of Odoo itself.

All ask for the same things in the same mix, once a second each. An answer that does not
hold what was asked for is a failure. ``perf/load.py`` runs it; by hand:

``locust -f perf/locustfile.py --host http://127.0.0.1:8770 --key odp_... RestUser``
"""

import itertools
import random
import time
from abc import ABCMeta, abstractmethod
from argparse import Namespace
from typing import Any

from locust import FastHttpUser, constant_pacing, events, task
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import ResponseContextManager
from targets import FIELDS, MODEL

ROWS = 10
_MODELS = f"/v1/models/{MODEL}"
_PACE = 1.0
"""Seconds from one request of a user to its next."""

_MCP_VERSION = "2026-07-28"


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Take what the users must know."""
    parser.add_argument("--key", default="", is_secret=True, help="an API key")
    parser.add_argument("--ids", default="", help="records to read, with commas")
    parser.add_argument("--own-ids", default="", help="records that may be changed")
    parser.add_argument("--database", default="", help="of an Odoo asked straight")
    parser.add_argument("--uid", type=int, default=0, help="of an Odoo asked straight")


class _UserMeta(ABCMeta, type(FastHttpUser)):
    """Locust's kind of class, with abstract methods."""


class Reader(FastHttpUser, metaclass=_UserMeta):
    """What every user does, whatever way it goes."""

    abstract = True
    wait_time = constant_pacing(_PACE)
    # An answer that takes longer is a failure.
    network_timeout = 30.0
    connection_timeout = 30.0

    _marks = itertools.count()

    def on_start(self) -> None:
        """Read what the run was told, and begin at a moment of one's own.

        Locust starts users in batches, and their pace would keep them in step: all
        would ask in the same few milliseconds of each second. The pace counts from the
        user's start and makes good what is shorter than itself, so this is longer.
        """
        time.sleep(_PACE + random.random() * _PACE)
        options: Namespace = self.environment.parsed_options
        self.key: str = options.key
        self.options = options
        self.ids = [int(each) for each in options.ids.split(",")]
        self.own_ids = [int(each) for each in options.own_ids.split(",")]

    @task(60)
    def search(self) -> None:
        """Find ten records."""
        records = self.ask_search()
        if records is not None and len(records) != ROWS:
            raise AssertionError(f"{len(records)} records came in place of {ROWS}")

    @task(15)
    def read(self) -> None:
        """Read one record."""
        self.ask_read(random.choice(self.ids))

    @task(10)
    def count(self) -> None:
        """Count all records."""
        self.ask_count()

    @task(5)
    def aggregate(self) -> None:
        """Count the records of each country."""
        self.ask_aggregate()

    @task(5)
    def describe(self) -> None:
        """Ask for the fields of the model."""
        self.ask_describe()

    @task(5)
    def write(self) -> None:
        """Change one record."""
        self.ask_write(random.choice(self.own_ids), f"City {next(self._marks)}")

    @abstractmethod
    def ask_search(self) -> list[Any] | None:
        """Answer the records; None if the answer is counted as a failure already."""

    @abstractmethod
    def ask_read(self, record_id: int) -> None:
        """Read a record by its id."""

    @abstractmethod
    def ask_count(self) -> None:
        """Count."""

    @abstractmethod
    def ask_aggregate(self) -> None:
        """Group."""

    @abstractmethod
    def ask_describe(self) -> None:
        """Describe."""

    @abstractmethod
    def ask_write(self, record_id: int, city: str) -> None:
        """Write."""


def judged(answer: ResponseContextManager, *way: str | int) -> Any:
    """Answer what lies at the end of a way through the answer; None is a failure.

    Args:
        answer: What came.
        way: The keys on the way to what must be there.
    """
    found: Any = None
    if answer.status_code == 200:
        found = answer.json()
        try:
            for key in way:
                found = found[key]
        except (KeyError, IndexError, TypeError):
            found = None
    if found in (None, [], {}):
        answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
        return None
    return found


class RestUser(Reader):
    """A program that uses the REST API."""

    def _ask(self, name: str, method: str, path: str, *way: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        with self.client.request(
            method,
            path,
            name=f"REST {name}",
            headers=headers,
            catch_response=True,
            **more,
        ) as answer:
            return judged(answer, *way)

    def ask_search(self) -> list[Any] | None:
        """Find ten records."""
        query = f"fields={','.join(FIELDS)}&limit={ROWS}"
        return self._ask("search", "GET", f"{_MODELS}/records?{query}", "records")

    def ask_read(self, record_id: int) -> None:
        """Read one record."""
        path = f"{_MODELS}/records/{record_id}?fields={','.join(FIELDS)}"
        self._ask("read", "GET", path, "name")

    def ask_count(self) -> None:
        """Count all records."""
        path = f"{_MODELS}/records?fields=id&limit=1&count=exact"
        self._ask("count", "GET", path, "page", "total")

    def ask_aggregate(self) -> None:
        """Count the records of each country."""
        path = f"{_MODELS}/aggregate?groupby=country_id"
        self._ask("aggregate", "GET", path, "groups")

    def ask_describe(self) -> None:
        """Ask for the fields of the model."""
        self._ask("describe", "GET", _MODELS, "fields")

    def ask_write(self, record_id: int, city: str) -> None:
        """Change one record."""
        path = f"{_MODELS}/records/{record_id}?fields=city"
        self._ask("write", "PATCH", path, "city", json={"city": city})


class McpUser(Reader):
    """An agent that uses the tools of MCP over HTTP."""

    _numbers = itertools.count(1)

    def _ask(self, tool: str, *way: str, **arguments: Any) -> Any:
        with self.client.post(
            "/mcp",
            name=f"MCP {tool}",
            headers={
                "Authorization": f"Bearer {self.key}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": _MCP_VERSION,
                "Mcp-Method": "tools/call",
                "Mcp-Name": tool,
            },
            json={
                "jsonrpc": "2.0",
                "id": next(self._numbers),
                "method": "tools/call",
                "params": {
                    "name": tool,
                    "arguments": {"model": MODEL, **arguments},
                    "_meta": {
                        "io.modelcontextprotocol/protocolVersion": _MCP_VERSION,
                        "io.modelcontextprotocol/clientCapabilities": {},
                    },
                },
            },
            catch_response=True,
        ) as answer:
            return judged(answer, "result", "structuredContent", *way)

    def ask_search(self) -> list[Any] | None:
        """Find ten records."""
        return self._ask("search_records", "records", fields=FIELDS, limit=ROWS)

    def ask_read(self, record_id: int) -> None:
        """Read one record."""
        self._ask("read_records", "records", ids=[record_id], fields=FIELDS)

    def ask_count(self) -> None:
        """Count all records."""
        self._ask("count_records", "count")

    def ask_aggregate(self) -> None:
        """Count the records of each country."""
        self._ask("aggregate_records", "groups", groupby=["country_id"])

    def ask_describe(self) -> None:
        """Ask for the fields of the model."""
        self._ask("describe_model", "fields")

    def ask_write(self, record_id: int, city: str) -> None:
        """Change one record."""
        self._ask("update_records", ids=[record_id], values={"city": city})


class StraightUser(Reader):
    """A script that sends the same to Odoo itself, over JSON-RPC.

    The key is the password of the Odoo user.
    """

    _numbers = itertools.count(1)

    def _ask(self, name: str, method: str, *args: Any, **kwargs: Any) -> Any:
        login = [self.options.database, self.options.uid, self.key]
        with self.client.post(
            "/jsonrpc",
            name=f"Odoo {name}",
            json={
                "jsonrpc": "2.0",
                "id": next(self._numbers),
                "method": "call",
                "params": {
                    "service": "object",
                    "method": "execute_kw",
                    "args": [*login, MODEL, method, args, kwargs],
                },
            },
            catch_response=True,
        ) as answer:
            return judged(answer, "result")

    def ask_search(self) -> list[Any] | None:
        """Find ten records."""
        found: list[Any] | None = self._ask(
            "search", "search_read", [], fields=FIELDS, limit=ROWS, order="id"
        )
        return found

    def ask_read(self, record_id: int) -> None:
        """Read one record."""
        self._ask("read", "read", [record_id], fields=FIELDS)

    def ask_count(self) -> None:
        """Count all records."""
        self._ask("count", "search_count", [])

    def ask_aggregate(self) -> None:
        """Count the records of each country."""
        self._ask("aggregate", "read_group", [], [], ["country_id"], lazy=False)

    def ask_describe(self) -> None:
        """Ask for the fields of the model."""
        self._ask("describe", "fields_get")

    def ask_write(self, record_id: int, city: str) -> None:
        """Change one record, and read it, as the doors do."""
        if self._ask("write", "write", [record_id], {"city": city}):
            self._ask("write", "read", [record_id], fields=["city"])
