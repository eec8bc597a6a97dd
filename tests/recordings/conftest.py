"""The recorded exchanges with a real Odoo 18, one for each test that asks for them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "odoo18-wire"


@dataclass(frozen=True)
class Exchange:
    """What went over one wire: the request as sent, and the answer to it."""

    path: str
    request: str
    status: int
    content_type: str
    body: str


@dataclass(frozen=True)
class Recording:
    """One call of one of Odoo's services, and its exchange on each wire.

    A wire is None where the call was not made on it. ``refused`` is what Python's own
    client said where it would not send the call.
    """

    name: str
    service: str
    method: str
    args: list[Any]
    xmlrpc: Exchange | None
    jsonrpc: Exchange | None
    refused: str | None


def _exchange(raw: dict[str, Any] | None) -> Exchange | None:
    if raw is None or "response" not in raw:
        return None
    return Exchange(raw["path"], raw["request"], **raw["response"])


def _recording(path: Path) -> Recording:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Recording(
        name=path.stem,
        service=raw["service"],
        method=raw["method"],
        args=raw["args"],
        xmlrpc=_exchange(raw.get("xmlrpc")),
        jsonrpc=_exchange(raw.get("jsonrpc")),
        refused=raw["xmlrpc"].get("client_error"),
    )


ALL = [_recording(path) for path in sorted(FOLDER.glob("*.json"))]


@pytest.fixture
def recordings() -> list[Recording]:
    """Every recording."""
    return ALL


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each recording to the tests that name ``recording``, on each ``wire``."""
    if {"recording", "wire"} <= set(metafunc.fixturenames):
        pairs = [
            pytest.param(item, wire, id=f"{wire}-{item.name}")
            for wire in ("xmlrpc", "jsonrpc")
            for item in ALL
            if getattr(item, wire) is not None
        ]
        metafunc.parametrize(("recording", "wire"), pairs)
    elif "recording" in metafunc.fixturenames:
        metafunc.parametrize("recording", ALL, ids=[item.name for item in ALL])
