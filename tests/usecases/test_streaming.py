"""Reading all records of a search: each once, in order, charged once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, ClassVar

import pytest

from odooport import (
    AuditEvent,
    Call,
    Caller,
    Gate,
    InvalidRequest,
    Odoo,
    OdooDecides,
    OdooFailed,
    OdooRecord,
    PermissionDenied,
    Principal,
    Quota,
    RateLimited,
    Session,
    Unaudited,
    Unlimited,
)
from odooport.ports import AuthPolicy
from odooport_adapters import MemoryGateway
from odooport_security import LocalPolicy, Roles, principal_of
from tests.usecases.conftest import ADMIN, CountingGateway

PARTNER = "res.partner"
MANY = 2_300
"""More records than two reads ask for."""


class Partner(OdooRecord):
    odoo_model: ClassVar[str] = "res.partner"

    name: str
    is_company: bool


class Meddling(CountingGateway):
    """Lets somebody else do something just before some call arrives."""

    def __init__(self, inner: MemoryGateway) -> None:
        super().__init__(inner)
        self.under_way = 0
        self.most = 0
        self.reads = 0
        self.before: Callable[[int], Awaitable[None]] | None = None

    async def execute(self, session: Session, call: Call) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            if call.method == "search_read" and self.before is not None:
                self.reads += 1
                await self.before(self.reads - 1)
            return await super().execute(session, call)
        finally:
            self.under_way -= 1


class Counts(Unlimited):
    """Adds up what calls cost, and refuses when so much is used up."""

    def __init__(self, budget: int = 10**9) -> None:
        self.budget = budget
        self.costs: list[int] = []

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        if sum(self.costs) + cost > self.budget:
            return Quota(False, self.budget, 0, reset_after=60.0, retry_after=7.5)
        self.costs.append(cost)
        return await super().take(caller, cost)


class Listens(Unaudited):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True


def capped(
    gateway: CountingGateway,
    max_rows: int,
    *,
    concurrency: int | None = None,
    limiter: Unlimited | None = None,
    policy: AuthPolicy | None = None,
    audit: Unaudited | None = None,
) -> Odoo:
    gate = Gate(
        gateway, policy or OdooDecides(), limiter or Unlimited(), audit or Unaudited()
    )
    principal = Principal(
        "k1",
        "k1",
        "full",
        {"default": ADMIN},
        max_rows=max_rows,
        concurrency=concurrency,
    )
    return Odoo(gate, Caller(principal, door="python", request_id="r1"))


def of_role(gateway: CountingGateway, **rule: Any) -> Odoo:
    table = {"rules": [{"models": [PARTNER], "allow": ["read"], **rule}], "max_rows": 4}
    roles = Roles.parse({"seller": table})
    principal = principal_of("k1", "k1", "seller", {"default": ADMIN}, roles)
    gate = Gate(gateway, LocalPolicy(roles), Unlimited(), Unaudited())
    return Odoo(gate, Caller(principal, door="python", request_id="r1"))


async def ids_of(odoo: Odoo, *args: Any, **options: Any) -> list[int]:
    return [record["id"] async for record in odoo.stream(PARTNER, *args, **options)]


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def crowd() -> MemoryGateway:
    """Many partners; a test that changes them makes them itself."""
    return MemoryGateway.demo(extra_partners=MANY)


@pytest.fixture
def meddling(memory: MemoryGateway) -> Meddling:
    return Meddling(memory)


# What is answered


@pytest.mark.parametrize("order", [None, "id desc", "name", "city desc, name"])
async def test_all_records_come_in_the_order_of_the_search(
    crowd: MemoryGateway, order: str | None
) -> None:
    gateway = CountingGateway(crowd)
    odoo = Odoo.connect(gateway, ADMIN)
    wanted = await odoo.search(PARTNER, order=order, limit=10_000)
    assert len(wanted) > MANY
    gateway.calls.clear()
    assert await ids_of(odoo, order=order, fields=["name"]) == wanted
    assert gateway.called.count("search") == 1
    assert gateway.called.count("search_read") == 3


async def test_records_hold_the_same_clean_values_as_pages(odoo: Odoo) -> None:
    domain = [["is_company", "=", True]]
    page = await odoo.search_read(PARTNER, domain, limit=1000)
    records = [record async for record in odoo.stream(PARTNER, domain)]
    assert records == page.records
    fields = ["country_id", "child_ids", "write_date", "parent_id"]
    page = await odoo.search_read(PARTNER, q="oak", fields=fields)
    stream = odoo.stream(PARTNER, q="oak", fields=fields)
    records = [record async for record in stream]
    assert records
    assert records == page.records
    assert (stream.found, stream.left_out) == (len(records), 0)


async def test_a_class_gets_its_objects(odoo: Odoo) -> None:
    wanted = await odoo.search(Partner, order="name", limit=1000)
    assert [one async for one in odoo.stream(Partner, order="name")] == wanted
    assert isinstance(wanted[0], Partner)


async def test_a_search_that_finds_nothing_reads_nothing(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    assert await ids_of(odoo, [["name", "=", "nobody at all"]]) == []
    assert gateway.called == ["search"]


@pytest.mark.parametrize("limit", [1, 4, 5, 9, 10_000])
async def test_a_limit_holds_for_the_whole_stream(
    gateway: CountingGateway, limit: int
) -> None:
    odoo = capped(gateway, 4)
    wanted = await Odoo.connect(gateway, ADMIN).search(PARTNER, limit=limit)
    assert await ids_of(odoo, limit=limit) == wanted


async def test_archived_records_come_where_the_search_finds_them(odoo: Odoo) -> None:
    (made,) = await odoo.create(PARTNER, {"name": "Old", "active": False})
    assert made in await ids_of(odoo, [["active", "=", False]])
    assert made in await ids_of(odoo.acting_as(active_test=False))
    assert made not in await ids_of(odoo)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fields": ["nmae"]}, "Did you mean 'name'"),
        ({"limit": 0}, "above 0"),
        ({"domain": [["nmae", "=", 1]]}, "nmae"),
        ({"order": "nmae"}, "nmae"),
    ],
)
async def test_a_wrong_request_is_refused_and_nothing_is_sent(
    odoo: Odoo, gateway: CountingGateway, options: dict[str, Any], said: str
) -> None:
    stream = odoo.stream(PARTNER, **options)
    with pytest.raises(InvalidRequest, match=said):
        await anext(stream)
    assert gateway.called == []


async def test_a_class_says_itself_which_fields_it_reads(odoo: Odoo) -> None:
    stream = odoo.stream(Partner, fields=["name"])  # type: ignore[call-overload] # wrong on purpose
    with pytest.raises(InvalidRequest, match="says itself"):
        await anext(stream)


# Others write meanwhile


async def test_every_record_comes_once_although_others_write(
    memory: MemoryGateway, meddling: Meddling
) -> None:
    memory.add(PARTNER, *({"name": f"P {n:05}"} for n in range(MANY)))
    odoo, other = Odoo.connect(meddling, ADMIN), Odoo.connect(memory, ADMIN)
    wanted = await other.search(PARTNER, order="name", limit=10_000)

    async def write(reads: int) -> None:
        # The last becomes the first, the first the last, and there are more.
        await other.write(PARTNER, [wanted[-1 - reads]], {"name": f"AAA {reads}"})
        await other.write(PARTNER, [wanted[reads]], {"name": f"ZZZ {reads}"})
        await other.create(PARTNER, {"name": f"AAB {reads}"})

    meddling.before = write
    stream = odoo.stream(PARTNER, order="name", fields=["name"])
    assert [record["id"] async for record in stream] == wanted
    assert (stream.found, stream.left_out) == (len(wanted), 0)


async def test_what_was_deleted_since_is_left_out_and_counted(
    memory: MemoryGateway, meddling: Meddling
) -> None:
    made = memory.add(PARTNER, *({"name": f"P {n}"} for n in range(12)))

    async def delete(reads: int) -> None:
        if reads > 0:
            gone = made[4 * reads + 1]
            await Odoo.connect(memory, ADMIN).unlink(PARTNER, [gone])

    meddling.before = delete
    stream = capped(meddling, 4).stream(PARTNER, [["name", "=like", "P %"]])
    left = [one for one in made if one not in (made[5], made[9])]
    assert [record["id"] async for record in stream] == left
    assert (stream.found, stream.left_out) == (12, 2)


async def test_what_no_longer_fits_the_search_is_left_out_and_counted(
    memory: MemoryGateway, meddling: Meddling
) -> None:
    made = memory.add(PARTNER, *({"name": "P", "city": "X"} for _ in range(6)))
    other = Odoo.connect(memory, ADMIN)

    async def move(reads: int) -> None:
        await other.write(PARTNER, [made[3]], {"city": "Y"})

    meddling.before = move
    stream = Odoo.connect(meddling, ADMIN).stream(PARTNER, [["city", "=", "X"]])
    assert [record["id"] async for record in stream] == [*made[:3], *made[4:]]
    assert (stream.found, stream.left_out) == (6, 1)


# How much is asked, and when


async def test_nothing_is_sent_before_a_record_is_asked_for(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    odoo.stream(PARTNER)
    await settle()
    assert gateway.calls == []


async def test_no_more_is_read_ahead_than_the_consumer_can_hold(
    gateway: CountingGateway,
) -> None:
    async with aclosing(capped(gateway, 3).stream(PARTNER)) as stream:
        await anext(stream)
        await settle()
        assert gateway.called.count("search_read") == 2
        for _ in range(3):
            await anext(stream)
        await settle()
        assert gateway.called.count("search_read") == 3


async def test_leaving_the_loop_ends_the_reading(gateway: CountingGateway) -> None:
    async for _ in capped(gateway, 3).stream(PARTNER):
        break
    await settle()
    sent = len(gateway.calls)
    await settle()
    assert len(gateway.calls) == sent
    assert gateway.called.count("search_read") <= 2


async def test_closing_ends_a_read_that_is_under_way(meddling: Meddling) -> None:
    ended = list[int]()

    async def hang(reads: int) -> None:
        if reads == 1:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(reads)

    meddling.before = hang
    stream = capped(meddling, 3).stream(PARTNER)
    await anext(stream)
    await settle()
    assert (meddling.under_way, ended) == (1, [])
    await asyncio.wait_for(stream.aclose(), 20)
    assert (meddling.under_way, ended) == (0, [1])
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (2, 2), (None, 2)])
async def test_no_more_calls_are_under_way_than_the_key_may_have(
    meddling: Meddling, concurrency: int | None, most: int
) -> None:
    odoo = capped(meddling, 3, concurrency=concurrency)
    assert len(await ids_of(odoo)) > 6
    assert meddling.most == most


# Guards


@pytest.mark.parametrize("order", [None, "id desc"])
async def test_no_answer_holds_more_records_than_the_principal_may_have(
    gateway: CountingGateway, order: str | None
) -> None:
    wanted = await Odoo.connect(gateway, ADMIN).search(PARTNER, order=order, limit=1000)
    gateway.calls.clear()
    assert await ids_of(capped(gateway, 4), order=order) == wanted
    sent = [call for call in gateway.calls if call.method != "fields_get"]
    assert max(call.kwargs["limit"] for call in sent) == 4


async def test_an_order_other_than_by_id_must_fit_in_one_answer(
    gateway: CountingGateway,
) -> None:
    odoo = capped(gateway, 4)
    with pytest.raises(InvalidRequest, match="more than the 4 records"):
        await ids_of(odoo, order="name")
    with pytest.raises(InvalidRequest, match="more than the 4 records"):
        await ids_of(odoo, order="name", limit=5)
    wanted = await odoo.search(PARTNER, order="name", limit=4)
    assert await ids_of(odoo, order="name", limit=4) == wanted


async def test_a_role_sees_its_records_only_and_no_hidden_field(
    gateway: CountingGateway,
) -> None:
    companies = await Odoo.connect(gateway, ADMIN).search(
        PARTNER, [["is_company", "=", True]], limit=1000
    )
    assert len(companies) > 4
    odoo = of_role(gateway, domain=[["is_company", "=", True]], hide=["email"])
    records = [record async for record in odoo.stream(PARTNER)]
    assert [record["id"] for record in records] == companies
    assert not any("email" in record for record in records)
    with pytest.raises(PermissionDenied, match=r"'email' .* hidden"):
        await ids_of(odoo, fields=["email"])
    with pytest.raises(PermissionDenied):
        await anext(odoo.stream("crm.lead"))


async def test_what_left_the_role_since_is_left_out(
    memory: MemoryGateway, meddling: Meddling
) -> None:
    made = memory.add(PARTNER, *({"name": "P", "city": "X"} for _ in range(6)))
    other = Odoo.connect(memory, ADMIN)

    async def move(reads: int) -> None:
        await other.write(PARTNER, [made[2]], {"city": "Y"})

    meddling.before = move
    stream = of_role(meddling, domain=[["city", "=", "X"]]).stream(PARTNER)
    assert [record["id"] async for record in stream] == [*made[:2], *made[3:]]
    assert stream.left_out == 1


async def test_records_are_charged_once(crowd: MemoryGateway) -> None:
    limiter = Counts()
    odoo = capped(CountingGateway(crowd), 1000, limiter=limiter)
    rows = len(await ids_of(odoo, fields=["name"]))
    searches = -(-rows // 1000)
    assert sorted(limiter.costs)[:searches] == [1] * searches
    assert sum(limiter.costs) - searches == -(-rows // 100)


async def test_a_budget_may_end_after_some_records(crowd: MemoryGateway) -> None:
    odoo = capped(CountingGateway(crowd), 1000, limiter=Counts(25))
    stream = odoo.stream(PARTNER, fields=["name"])
    came = [await anext(stream) for _ in range(2000)]
    with pytest.raises(RateLimited) as caught:
        await anext(stream)
    assert (len(came), caught.value.retry_after) == (2000, 7.5)


async def test_every_answer_is_in_the_audit(gateway: CountingGateway) -> None:
    audit = Listens()
    await ids_of(capped(gateway, 4, audit=audit), limit=8)
    noted = [event.call.method for event in audit.events if event.call is not None]
    assert noted == gateway.called == ["search", "search", "search_read", "search_read"]


async def test_an_error_comes_after_the_records_before_it(meddling: Meddling) -> None:
    async def fail(reads: int) -> None:
        if reads == 1:
            raise OdooFailed("Odoo failed.")

    meddling.before = fail
    stream = capped(meddling, 3).stream(PARTNER)
    came = [await anext(stream) for _ in range(3)]
    assert len(came) == 3
    with pytest.raises(OdooFailed):
        await anext(stream)
    sent = len(meddling.calls)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await settle()
    assert (len(meddling.calls), meddling.under_way) == (sent, 0)
