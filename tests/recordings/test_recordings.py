"""What our gateways make of every recorded exchange with a real Odoo 18.

For each recording and each wire: the request that we write means what the recorded one
means, and the recorded answer becomes the recorded value or the right error of ours.
"""

import contextlib
import json
import xmlrpc.client
from typing import Any

import httpx2
import pytest

from odooport import errors
from odooport.model import Call, Context, Credentials, ServerVersion, Session
from odooport_adapters.faults import Asker
from odooport_adapters.http import OdooHttp
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.xmlrpc import XmlRpcGateway

ERRORS = {
    "004-authenticate-wrong-password": errors.AuthenticationFailed,
    "005-authenticate-unknown-db": errors.AuthenticationFailed,
    "049-unlink-again": errors.RecordMissing,
    "050-write-missing": errors.RecordMissing,
    "051-fault-unknown-model": errors.OdooRefused,
    "052-fault-unknown-field-read": errors.OdooFailed,
    "053-fault-unknown-field-domain": errors.OdooFailed,
    "054-fault-unknown-field-write": errors.OdooFailed,
    "055-fault-malformed-domain": errors.OdooFailed,
    "056-fault-bad-operator": errors.OdooFailed,
    "057-fault-unknown-method": errors.InvalidRequest,
    "058-fault-private-method": errors.OdooAccessError,
    "059-fault-missing-argument": errors.OdooFailed,
    "060-fault-bad-selection": errors.OdooFailed,
    "061-fault-wrong-type-int": errors.OdooFailed,
    "062-fault-wrong-type-date": errors.OdooFailed,
    "063-fault-required-missing": errors.OdooRefused,
    "064-fault-foreign-key": errors.RecordMissing,
    "065-fault-validation-recursion": errors.OdooRefused,
    "066-fault-access-error-model": errors.OdooAccessError,
    "067-fault-access-error-write": errors.OdooAccessError,
    "069-fault-wrong-password": errors.AuthenticationFailed,
    "070-fault-wrong-uid": errors.AuthenticationFailed,
    "071-fault-unknown-db": errors.AuthenticationFailed,
    "072-fault-unknown-service-method": errors.OdooFailed,
    "076-fault-user-error-unlink-confirmed": errors.OdooRefused,
    "079-fault-private-method-public-name": errors.OdooAccessError,
    "082-context-lang-inactive": errors.OdooRefused,
}
"""The recordings that end in an error, as JSON-RPC tells it."""

ONLY_XMLRPC = {
    "086-control-characters": errors.OdooFailed,
    "091-malformed-xml": errors.OdooFailed,
}

ONLY_JSONRPC = {
    # the same call a second time: the records had changed
    "048-unlink": errors.RecordMissing,
    "074-method-action-confirm": errors.OdooRefused,
    "085-big-int": errors.OdooFailed,
}

RETURNS_NONE = {"078-method-returns-none", "080-method-archive", "081-method-unarchive"}

NEW_IDS = {
    "034-name-create",
    "038-create-one",
    "039-create-many",
    "042-copy",
    "077-method-message-post",
    "087-ir-attachment-create",
}
"""Made something new on each wire, so the ids differ."""

REFUSED_ON_BOTH = {"085-big-int"}
REFUSED_ON_XMLRPC = {"086-control-characters"}


def expected_error(name: str, wire: str) -> type[errors.OdooportError] | None:
    """The error that a recording must become, or None if it has a value."""
    kind = ERRORS.get(name) or (ONLY_XMLRPC if wire == "xmlrpc" else ONLY_JSONRPC).get(
        name
    )
    if wire == "xmlrpc" and kind is errors.RecordMissing:
        return errors.OdooRefused  # code 2 says no more; the use case asks
    return kind


class Replay:
    """A server that answers with what was recorded, and keeps what it was sent."""

    def __init__(self, recording, wire):
        self.exchange = getattr(recording, wire)
        self.requests: list[httpx2.Request] = []
        self.http = OdooHttp(
            "http://odoo.test", transport=httpx2.MockTransport(self._answer)
        )
        gateway = XmlRpcGateway if wire == "xmlrpc" else JsonRpcGateway
        self.gateway = gateway(self.http)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(
            self.exchange.status,
            headers={"Content-Type": self.exchange.content_type},
            stream=httpx2.ByteStream(self.exchange.body.encode()),
        )

    async def ask(self, recording, *, raw: bool) -> Any:
        """Make the recorded call through the port, or below it where it has no word."""
        args = recording.args
        match recording.service, recording.method:
            case "common", "version":
                return await self.gateway.version("default")
            case "common", "authenticate":
                return await self.gateway.authenticate(Credentials(*args[:3]))
            case "object", "execute_kw" if args and not raw:
                database, uid, secret, model, method, positional, keywords = args
                call = Call(
                    model,
                    method,
                    tuple(positional),
                    {key: keywords[key] for key in keywords if key != "context"},
                    context_of(keywords.get("context", {})),
                )
                return await self.gateway.execute(Session(database, uid, secret), call)
            case service, method:
                asker = Asker(args[0], args[1]) if len(args) > 1 else Asker()
                return await self.gateway.ask(
                    service, method, args, asker, may_write=True
                )


def context_of(raw: dict[str, Any]) -> Context:
    return Context(
        lang=raw.get("lang"),
        companies=tuple(raw.get("allowed_company_ids", ())),
        active_test=raw.get("active_test"),
    )


def goes_below_the_port(name: str, wire: str) -> bool:
    """Whether our port refuses or cannot say what was recorded."""
    return (
        name in REFUSED_ON_BOTH
        or (wire == "xmlrpc" and name in REFUSED_ON_XMLRPC)
        or name == "016-read-all-fields"  # bin_size is not in our context
    )


def recorded_value(recording, wire: str) -> Any:
    """The recorded answer, read without our code."""
    exchange = getattr(recording, wire)
    if wire == "jsonrpc":
        return json.loads(exchange.body).get("result")
    return xmlrpc.client.loads(exchange.body)[0][0]


def meaning(wire: str, request: str) -> Any:
    """What a request says, read without our code."""
    return json.loads(request) if wire == "jsonrpc" else xmlrpc.client.loads(request)


async def test_a_recorded_request_and_ours_mean_the_same(recording, wire):
    replay = Replay(recording, wire)
    raw = goes_below_the_port(recording.name, wire)
    with contextlib.suppress(errors.OdooportError):
        await replay.ask(recording, raw=raw)

    (sent,) = replay.requests
    ours, theirs = sent.content.decode(), replay.exchange.request
    assert sent.method == "POST"
    assert sent.url.path == replay.exchange.path
    if recording.name == "086-control-characters" and wire == "xmlrpc":
        assert ours == theirs  # no XML, so it means nothing
    else:
        assert meaning(wire, ours) == meaning(wire, theirs)


async def test_a_recorded_answer_becomes_its_value_or_the_right_error(recording, wire):
    replay = Replay(recording, wire)
    raw = goes_below_the_port(recording.name, wire)
    kind = expected_error(recording.name, wire)
    if kind is not None:
        with pytest.raises(errors.OdooportError) as caught:
            await replay.ask(recording, raw=raw)
        assert type(caught.value) is kind
        assert "Traceback" not in caught.value.message
        assert "/usr/lib" not in caught.value.message
        assert "127.0.0.1" not in caught.value.message
        return

    answer = await replay.ask(recording, raw=raw)
    if recording.name == "001-version":
        assert answer == ServerVersion("18.0-20250702", (18, 0))
    elif isinstance(answer, Session):
        assert answer.uid == recorded_value(recording, wire)
        assert answer.database == recording.args[0]
    elif recording.name in RETURNS_NONE:
        assert answer is None
    else:
        assert answer == recorded_value(recording, wire)


async def test_both_wires_answer_the_same_value(recordings):
    comparable = [
        item
        for item in recordings
        if item.xmlrpc is not None
        and item.jsonrpc is not None
        and item.name not in NEW_IDS
        and not any(expected_error(item.name, wire) for wire in ("xmlrpc", "jsonrpc"))
    ]
    for item in comparable:
        raw = goes_below_the_port(item.name, "jsonrpc")
        over_xml = await Replay(item, "xmlrpc").ask(item, raw=raw)
        over_json = await Replay(item, "jsonrpc").ask(item, raw=raw)
        assert over_xml == over_json, item.name
    assert len(comparable) == 42


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("085-big-int", "xmlrpc"),
        ("085-big-int", "jsonrpc"),
        ("086-control-characters", "xmlrpc"),
    ],
)
async def test_what_odoo_cannot_take_is_refused_before_it_is_sent(
    recordings, name, wire
):
    (recording,) = [item for item in recordings if item.name == name]
    replay = Replay(recording, wire)
    with pytest.raises(errors.InvalidRequest, match=r"/args/0/(0/2|name)"):
        await replay.ask(recording, raw=False)
    assert replay.requests == []


@pytest.mark.parametrize("wire", ["xmlrpc", "jsonrpc"])
async def test_a_crash_keeps_odoos_text_for_the_log(recordings, wire):
    (recording,) = [item for item in recordings if item.name.startswith("052-")]
    with pytest.raises(errors.OdooFailed) as caught:
        await Replay(recording, wire).ask(recording, raw=False)
    assert "Invalid field 'no_such_field'" in caught.value.debug
    assert "no_such_field" not in caught.value.message


def test_every_recording_is_replayed(recordings):
    names = {item.name for item in recordings}
    assert len(recordings) == 91
    assert sum(item.xmlrpc is not None for item in recordings) == 90
    assert sum(item.jsonrpc is not None for item in recordings) == 80
    assert [item.name for item in recordings if item.refused] == ["085-big-int"]
    assert names >= {*ERRORS, *ONLY_XMLRPC, *ONLY_JSONRPC, *RETURNS_NONE, *NEW_IDS}
