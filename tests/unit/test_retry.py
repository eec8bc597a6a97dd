"""What is asked again, what never is, and that no time is spent that nobody has."""

import asyncio
import contextlib
import json
import logging
import re
import time
import xmlrpc.client
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odooport.catalogue import CATALOGUE, MethodInfo
from odooport.deadlines import until
from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayProtocolError,
    GatewayUnavailable,
    IdempotencyInFlight,
    IdempotencyMismatch,
    InvalidRequest,
    OdooFailed,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    RecordChanged,
    RecordMissing,
    SchemaChanged,
)
from odooport.model import Call, Credentials, Operation, ServerVersion, Session
from odooport.signatures import SIGNATURES
from odooport_adapters import JsonRpcGateway, OdooHttp, RetryGateway, XmlRpcGateway

SESSION = Session("company", 2, "s3cret")
READ = Call("res.partner", "read", ([1], ["name"]))
WRITE = Call("res.partner", "write", ([1], {"name": "Azure"}))
READS = {
    "search",
    "read",
    "search_read",
    "search_count",
    "read_group",
    "fields_get",
    "name_search",
    "default_get",
    "has_access",
}


def away(kind: type[GatewayUnavailable | OutcomeUnknown] = GatewayUnavailable) -> Any:
    """What a gateway raises while Odoo is away."""
    error = kind("Odoo is away.")
    error.down = True
    return error


class Scripted:
    """A gateway that answers as it is told, one thing after the other."""

    def __init__(self, outcomes: Iterable[Any]) -> None:
        self._outcomes = iter(outcomes)
        self.asked = 0

    def _next(self) -> Any:
        self.asked += 1
        outcome = next(self._outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def version(self, instance: str) -> ServerVersion:
        return self._next()

    async def authenticate(self, credentials: Credentials) -> Session:
        return self._next()

    async def execute(self, session: Session, call: Call) -> Any:
        return self._next()

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        return self._next()


class Waits:
    """Waits without waiting, and writes down how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def retrying(
    *outcomes: Any, random: Callable[[], float] = lambda: 0.5, **more: Any
) -> tuple[RetryGateway, Scripted, Waits]:
    waits, scripted = Waits(), Scripted(outcomes)
    gateway = RetryGateway(scripted, **{"sleep": waits, "random": random, **more})
    return gateway, scripted, waits


def reading(method: str) -> Call:
    return Call("res.partner", method, ([1],))


# Reads while Odoo is away


@pytest.mark.parametrize("method", sorted(READS))
async def test_a_read_is_asked_again_until_odoo_is_back(method):
    gateway, scripted, _ = retrying(away(), away(), "answer")

    assert await gateway.execute(SESSION, reading(method)) == "answer"
    assert scripted.asked == 3


@pytest.mark.parametrize("method", sorted({*SIGNATURES, "action_post"} - READS))
async def test_whatever_is_not_one_of_those_reads_is_asked_once(method):
    gateway, scripted, waits = retrying(away(), "answer")

    with pytest.raises(GatewayUnavailable):
        await gateway.execute(SESSION, Call("res.partner", method, ([1],)))

    assert scripted.asked == 1
    assert not waits.seconds


async def test_version_login_and_methods_are_asked_once():
    asks: list[Callable[[RetryGateway], Any]] = [
        lambda gateway: gateway.version("default"),
        lambda gateway: gateway.authenticate(Credentials("company", "a", "b")),
        lambda gateway: gateway.methods(SESSION, "res.partner"),
    ]
    for ask in asks:
        gateway, scripted, _ = retrying(away(), "answer")
        with pytest.raises(GatewayUnavailable):
            await ask(gateway)
        assert scripted.asked == 1


async def test_the_last_error_is_raised_as_it_is():
    last = away()
    gateway, scripted, waits = retrying(away(), away(), last)

    with pytest.raises(GatewayUnavailable) as raised:
        await gateway.execute(SESSION, READ)

    assert raised.value is last
    assert scripted.asked == 3
    assert len(waits.seconds) == 2


@pytest.mark.parametrize(
    "error",
    [
        GatewayUnavailable("Its certificate has expired."),
        GatewayUnavailable("The breaker is open.", retry_after=1.0),
        GatewayProtocolError("A page."),
        AuthenticationFailed("No."),
        InvalidRequest("No."),
        OdooRefused("No."),
        OdooFailed("No."),
        RecordMissing("No."),
        AnswerLost("No."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_read_that_failed_otherwise_is_not_asked_again(error):
    gateway, scripted, _ = retrying(error, "answer")

    with pytest.raises(type(error)) as raised:
        await gateway.execute(SESSION, READ)

    assert raised.value is error
    assert scripted.asked == 1


async def test_an_answer_of_our_own_is_not_asked_for_again_even_if_odoo_is_down():
    refusal = GatewayUnavailable("The breaker is open.", retry_after=1.0)
    refusal.down = True
    gateway, scripted, _ = retrying(refusal, "answer")

    with pytest.raises(GatewayUnavailable):
        await gateway.execute(SESSION, READ)

    assert scripted.asked == 1


async def test_a_breaker_that_opens_meanwhile_ends_it():
    refusal = GatewayUnavailable("The breaker is open.", retry_after=1.0)
    gateway, scripted, _ = retrying(away(), refusal, "answer")

    with pytest.raises(GatewayUnavailable) as raised:
        await gateway.execute(SESSION, READ)

    assert raised.value is refusal
    assert scripted.asked == 2


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=11, max_size=11))
@settings(deadline=None)
async def test_waits_double_up_to_a_bound_and_are_scattered_below_it(draws):
    numbers = iter(draws)
    gateway, scripted, waits = retrying(
        *[away()] * 11, "answer", attempts=12, random=lambda: next(numbers)
    )

    assert await gateway.execute(SESSION, READ) == "answer"

    longest = [0.1, 0.2, 0.4, 0.8, 1.6, *[2.0] * 6]
    assert waits.seconds == pytest.approx(
        [draw * most for draw, most in zip(draws, longest, strict=True)]
    )
    assert scripted.asked == 12


# Deadlines


async def test_no_wait_is_begun_that_the_deadline_has_no_room_for():
    gateway, scripted, waits = retrying(away(), "answer", random=lambda: 0.999)

    with until(time.monotonic() + 0.05), pytest.raises(GatewayUnavailable):
        await gateway.execute(SESSION, READ)

    assert scripted.asked == 1
    assert not waits.seconds


async def test_no_attempt_is_begun_after_the_deadline():
    async def oversleep(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(ends + 0.01):  # the loop has the same clock
                await asyncio.Event().wait()

    gateway, scripted, _ = retrying(
        away(), "answer", sleep=oversleep, random=lambda: 0.0
    )
    ends = time.monotonic() + 0.05

    with until(ends), pytest.raises(GatewayUnavailable):
        await gateway.execute(SESSION, READ)

    assert scripted.asked == 1


async def test_a_deadline_far_away_hinders_nothing():
    gateway, scripted, _ = retrying(away(), away(), "answer")

    with until(time.monotonic() + 60):
        assert await gateway.execute(SESSION, READ) == "answer"

    assert scripted.asked == 3


async def test_a_caller_that_goes_away_while_it_waits_is_let_go():
    waits = asyncio.Event()

    async def for_ever(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    gateway, scripted, _ = retrying(away(), "answer", sleep=for_ever)
    caller = asyncio.create_task(gateway.execute(SESSION, READ))
    await waits.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert scripted.asked == 1


# Writes


@pytest.mark.parametrize("kind", [GatewayUnavailable, OutcomeUnknown])
async def test_a_write_is_not_asked_again_while_odoo_is_away(kind):
    gateway, scripted, _ = retrying(away(kind), "answer")

    with pytest.raises(kind):
        await gateway.execute(SESSION, WRITE)

    assert scripted.asked == 1


async def test_a_read_of_unknown_outcome_is_not_asked_again():
    gateway, scripted, _ = retrying(away(OutcomeUnknown), "answer")

    with pytest.raises(OutcomeUnknown):
        await gateway.execute(SESSION, READ)

    assert scripted.asked == 1


REPEATED = [
    READ,
    WRITE,
    Call("res.partner", "create", ({"name": "Azure"},)),
    Call("sale.order", "unlink", ([1],)),
    Call("sale.order", "copy", ([1],)),
    Call("sale.order", "action_cancel", ([1],)),
    Call("res.partner", "toggle_active", ([1],)),
    Call("mail.message", "read", ([1],)),
    Call("report.stock.quantity", "write", ([1], {})),
]


@pytest.mark.parametrize(
    "call", REPEATED, ids=lambda call: f"{call.model}.{call.method}"
)
async def test_what_odoo_rolled_back_is_asked_once_more(call):
    gateway, scripted, waits = retrying(Conflict("No."), "answer")

    assert await gateway.execute(SESSION, call) == "answer"
    assert scripted.asked == 2
    assert waits.seconds == [0.05]


@pytest.mark.parametrize(
    "call", REPEATED, ids=lambda call: f"{call.model}.{call.method}"
)
async def test_what_odoo_rolled_back_twice_is_not_asked_again(call):
    last = Conflict("No.")
    gateway, scripted, _ = retrying(Conflict("No."), last, "answer", attempts=9)

    with pytest.raises(Conflict) as raised:
        await gateway.execute(SESSION, call)

    assert raised.value is last
    assert scripted.asked == 2


@pytest.mark.parametrize(
    "call",
    [
        Call("mail.mail", "create", ({},)),
        Call("mail.activity", "action_feedback", ([1],)),
        Call("mailing.mailing", "write", ([1], {})),
        Call("sms.sms", "write", ([1], {})),
        Call("snailmail.letter", "create", ({},)),
        Call("payment.transaction", "write", ([1], {})),
        Call("account.payment.register", "create", ({},)),
        Call("pos.payment", "create", ({},)),
        Call("account.edi.document", "write", ([1], {})),
        Call("account_edi_proxy_client.user", "write", ([1], {})),
        Call("l10n_hu_edi.cancellation", "create", ({},)),
        Call("account_peppol.service", "write", ([1], {})),
        Call("account.move.send.wizard", "create", ({},)),
        Call("certificate.certificate", "create", ({},)),
        Call("iap.account", "write", ([1], {})),
        Call("calendar.event", "create", ({},)),
        Call("res.users", "create", ({},)),
        Call("ir.mail_server", "write", ([1], {})),
        # methods that are known to reach outside
        Call("sale.order", "action_confirm", ([1],)),
        Call("account.move", "action_post", ([1],)),
        Call("account.payment", "action_post", ([1],)),
        # methods of which nobody knows what they do, though they are known
        Call("ir.cron", "method_direct_trigger", ([1],)),
        Call("ir.actions.server", "run", ([1],)),
        Call("res.partner", "load", (["name"], [["Azure"]])),
        # what only a mixin has
        Call("sale.order", "message_subscribe", ([1], [2])),
        # what nobody knows
        Call("sale.order", "action_of_our_own", ([1],)),
        Call("x_model", "action_confirm", ([1],)),
        # reads that are not on the list
        Call("res.partner", "get_views", ([],)),
    ],
    ids=lambda call: f"{call.model}.{call.method}",
)
async def test_what_may_reach_outside_is_not_asked_again(call):
    gateway, scripted, waits = retrying(Conflict("No."), "answer")

    with pytest.raises(Conflict):
        await gateway.execute(SESSION, call)

    assert scripted.asked == 1
    assert not waits.seconds


@pytest.mark.parametrize(
    "known",
    [known for own in CATALOGUE.values() for known in own if known.outside],
    ids=lambda known: f"{known.model}.{known.name}",
)
async def test_no_method_that_is_known_to_reach_outside_is_asked_again(known):
    gateway, scripted, _ = retrying(Conflict("No."), "answer")

    with pytest.raises(Conflict):
        await gateway.execute(SESSION, Call(known.model, known.name, ([1],)))

    assert scripted.asked == 1


@pytest.mark.parametrize(
    "error",
    [
        RecordChanged("No.", ()),
        SchemaChanged("No.", "res.partner", "abc"),
        IdempotencyInFlight("No.", 1.0),
        IdempotencyMismatch("No."),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "write"])
async def test_conflicts_that_are_not_odoos_are_not_asked_again(call, error):
    gateway, scripted, _ = retrying(error, "answer")

    with pytest.raises(type(error)):
        await gateway.execute(SESSION, call)

    assert scripted.asked == 1


async def test_a_write_after_a_rollback_has_to_fit_the_deadline_too():
    gateway, scripted, _ = retrying(Conflict("No."), "answer", random=lambda: 0.999)

    with until(time.monotonic() + 0.05), pytest.raises(Conflict):
        await gateway.execute(SESSION, WRITE)

    assert scripted.asked == 1


async def test_a_write_that_is_lost_after_a_rollback_stays_lost():
    gateway, scripted, _ = retrying(Conflict("No."), away(OutcomeUnknown), "answer")

    with pytest.raises(OutcomeUnknown):
        await gateway.execute(SESSION, WRITE)

    assert scripted.asked == 2


async def test_one_attempt_is_one_attempt():
    for call, error in ((READ, away()), (WRITE, Conflict("No."))):
        gateway, scripted, _ = retrying(error, "answer", attempts=1)
        with pytest.raises(OdooportError):
            await gateway.execute(SESSION, call)
        assert scripted.asked == 1


_outcomes = st.lists(
    st.one_of(
        st.builds(away),
        st.builds(lambda: away(OutcomeUnknown)),
        st.builds(lambda: Conflict("No.")),
        st.builds(lambda: GatewayUnavailable("No.", retry_after=1.0)),
        st.builds(lambda: OdooRefused("No.")),
        st.just("answer"),
    ),
    min_size=10,
    max_size=10,
)


@given(_outcomes, st.sampled_from([*SIGNATURES, "action_confirm", "anything"]))
@settings(deadline=None)
async def test_no_write_is_sent_again_unless_odoo_rolled_it_back(outcomes, method):
    gateway, scripted, _ = retrying(*outcomes)

    with contextlib.suppress(OdooportError):
        await gateway.execute(SESSION, Call("res.partner", method, ([1],)))

    earlier = outcomes[: scripted.asked - 1]
    assert scripted.asked <= 3
    assert sum(type(each) is Conflict for each in earlier) <= 1
    if method not in READS:
        assert all(type(each) is Conflict for each in earlier)


async def test_each_repeat_is_in_the_log(caplog):
    gateway, _, _ = retrying(away(), away(), "answer")

    with caplog.at_level(logging.INFO, "odooport_adapters.retry"):
        await gateway.execute(SESSION, READ)

    found = [
        (
            record.__dict__["model"],
            record.__dict__["method"],
            record.__dict__["attempt"],
        )
        for record in caplog.records
    ]
    assert found == [("res.partner", "read", 2), ("res.partner", "read", 3)]


def test_the_reads_of_the_list_are_reads_by_their_signature():
    assert {SIGNATURES[name].operation for name in READS} == {Operation.READ}


# Over a real connection


class HangsUp:
    """A server that takes so many requests, hangs up on each, and then answers."""

    def __init__(self, times: int, wire: str) -> None:
        self._times = times
        self._wire = wire
        self.requests = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        assert found is not None
        body = await reader.readexactly(int(found[1]))
        self.requests += 1
        if self.requests > self._times:
            writer.write(self._answer(body))
            await writer.drain()
        writer.close()

    def _answer(self, body: bytes) -> bytes:
        if self._wire == "xmlrpc":
            kind = "text/xml"
            data = xmlrpc.client.dumps(([7],), methodresponse=True).encode()
        else:
            kind = "application/json"
            number = json.loads(body)["id"]
            answer = {"jsonrpc": "2.0", "id": number, "result": [7]}
            data = json.dumps(answer).encode()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + data


@contextlib.asynccontextmanager
async def over_the_network(
    wire: str, server: HangsUp
) -> AsyncIterator[tuple[RetryGateway, Waits]]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    kinds = {"xmlrpc": XmlRpcGateway, "jsonrpc": JsonRpcGateway}
    waits = Waits()
    try:
        async with OdooHttp(f"http://127.0.0.1:{port}") as http:
            yield RetryGateway(kinds[wire](http), sleep=waits), waits
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.mark.parametrize("wire", ["xmlrpc", "jsonrpc"])
async def test_a_read_survives_a_server_that_hangs_up_twice(wire):
    server = HangsUp(2, wire)
    async with over_the_network(wire, server) as (gateway, waits):
        call = Call("res.partner", "search", ([],))
        assert await gateway.execute(SESSION, call) == [7]

    assert server.requests == 3
    assert len(waits.seconds) == 2


@pytest.mark.parametrize("wire", ["xmlrpc", "jsonrpc"])
async def test_a_write_to_a_server_that_hangs_up_is_sent_once(wire):
    server = HangsUp(2, wire)
    async with over_the_network(wire, server) as (gateway, _):
        with pytest.raises(OutcomeUnknown):
            await gateway.execute(SESSION, WRITE)

    assert server.requests == 1
