"""The logins to Odoo: kept for a while, never tried until Odoo locks everybody out."""

import pytest

from odooport import AuthenticationFailed, Credentials, Session
from odooport.sessions import Sessions
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import ADMIN, DEMO, CountingGateway


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(gateway: CountingGateway, clock: Clock) -> Sessions:
    return Sessions(gateway, clock=clock, idle=120.0, lifetime=300.0)


def wrong(number: int = 0) -> Credentials:
    return Credentials("demo", "admin", f"wrong {number}")


async def refused(sessions: Sessions, credentials: Credentials) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        await sessions.get(credentials)
    return caught.value.message


async def test_a_login_is_kept_while_it_is_used(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    for _ in range(3):
        await sessions.get(ADMIN)
        clock.now += 99.0
    assert gateway.logins == 1


async def test_a_login_that_nobody_uses_is_forgotten(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    await sessions.get(ADMIN)
    clock.now += 120.0
    await sessions.get(ADMIN)
    assert gateway.logins == 2


async def test_a_login_is_made_anew_in_time_however_much_it_is_used(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    for _ in range(31):
        await sessions.get(ADMIN)
        clock.now += 10.0
    assert gateway.logins == 2


async def test_a_login_can_be_made_anew_on_demand(
    sessions: Sessions, gateway: CountingGateway
):
    await sessions.get(ADMIN)
    sessions.renew(ADMIN)
    await sessions.get(ADMIN)
    assert gateway.logins == 2


async def test_a_refused_login_is_not_tried_again(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    await refused(sessions, wrong())
    clock.now += 86_400.0
    told = await refused(sessions, wrong())
    assert "not tried again until its secret changes" in told
    assert "ask who you are, with 'fresh'" in told
    assert gateway.logins == 1


async def test_the_same_login_with_another_secret_is_tried(
    sessions: Sessions, gateway: CountingGateway
):
    await refused(sessions, wrong())
    assert (await sessions.get(ADMIN)).uid
    assert gateway.logins == 2


async def test_a_refused_login_is_tried_again_on_demand_after_a_minute(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    await refused(sessions, wrong())
    clock.now += 59.0
    sessions.renew(wrong())
    assert "ask who you are in 1 seconds" in await refused(sessions, wrong())
    assert gateway.logins == 1
    clock.now += 1.0
    sessions.renew(wrong())
    await refused(sessions, wrong())
    assert gateway.logins == 2


async def test_odoo_is_never_asked_so_often_in_vain_that_it_locks_everybody_out(
    sessions: Sessions, gateway: CountingGateway, clock: Clock
):
    await sessions.get(ADMIN)
    for number in range(10):
        await refused(sessions, wrong(number))
    assert gateway.logins == 1 + 3
    assert "try again in 60 seconds" in await refused(sessions, wrong(11))
    sessions.renew(ADMIN)
    assert (await sessions.get(ADMIN)).uid  # it has worked before
    assert "try again in" in await refused(sessions, DEMO)
    clock.now += 60.0
    assert (await sessions.get(DEMO)).uid


async def test_a_login_that_waits_is_not_taken_for_a_refused_one(
    sessions: Sessions, clock: Clock
):
    for number in range(3):
        await refused(sessions, wrong(number))
    await refused(sessions, DEMO)
    clock.now += 60.0
    assert (await sessions.get(DEMO)).uid


class Turns(CountingGateway):
    """Refuses every login from some moment on."""

    refuses = False

    async def authenticate(self, credentials: Credentials) -> Session:
        session = await super().authenticate(credentials)
        if self.refuses:
            raise AuthenticationFailed("Not any more.")
        return session


async def test_a_login_that_has_worked_once_waits_as_well_after_it_was_refused(
    memory: MemoryGateway, clock: Clock
):
    gateway = Turns(memory)
    sessions = Sessions(gateway, clock=clock)
    await sessions.get(ADMIN)
    gateway.refuses = True
    clock.now += 300.0
    await refused(sessions, ADMIN)
    clock.now += 60.0
    for number in range(3):
        await refused(sessions, wrong(number))
    sessions.renew(ADMIN)
    assert "try again in" in await refused(sessions, ADMIN)
