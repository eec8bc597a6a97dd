"""Odoo for use-case tests: the one in memory, and a gateway that counts."""

from collections.abc import Sequence
from typing import Any

import pytest

from odooport import (
    AuthenticationFailed,
    Call,
    Credentials,
    Odoo,
    ServerVersion,
    Session,
)
from odooport.catalogue import MethodInfo
from odooport.ports import OdooGateway
from odooport_adapters import MemoryGateway

ADMIN = Credentials("demo", "admin", "admin")
DEMO = Credentials("demo", "demo", "demo")


class CountingGateway:
    """Passes everything on, and remembers what it was asked.

    Set ``stale`` to how many calls shall find their session gone.
    """

    def __init__(self, inner: OdooGateway) -> None:
        self.inner = inner
        self.calls: list[Call] = []
        self.logins = 0
        self.stale = 0

    async def version(self, instance: str) -> ServerVersion:
        return await self.inner.version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        self.logins += 1
        return await self.inner.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        self.calls.append(call)
        if self.stale:
            self.stale -= 1
            raise AuthenticationFailed("The session is gone.")
        return await self.inner.execute(session, call)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        return await self.inner.methods(session, model)

    @property
    def called(self) -> list[str]:
        """The methods that were called, without the questions for a schema."""
        return [call.method for call in self.calls if call.method != "fields_get"]


@pytest.fixture
def memory() -> MemoryGateway:
    return MemoryGateway.demo()


@pytest.fixture
def gateway(memory: MemoryGateway) -> CountingGateway:
    return CountingGateway(memory)


@pytest.fixture
def odoo(gateway: CountingGateway) -> Odoo:
    """Odoo for its administrator."""
    return Odoo.connect(gateway, ADMIN)


@pytest.fixture
def demo(gateway: CountingGateway) -> Odoo:
    """Odoo for an ordinary user."""
    return Odoo.connect(gateway, DEMO)
