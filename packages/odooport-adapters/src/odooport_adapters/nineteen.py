"""An Odoo 18 that plays an Odoo 19, for those who test what they do with both.

It is the way back of ``versions``: it takes what Odoo 19 takes and answers what Odoo 19
answers, as far as ``versions`` tells the two apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.errors import OdooFailed
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters.versions import ONE_RECORD, RENAMED

VERSION = ServerVersion("19.0", (19, 0))

_FORMATTED = ("domain", "groupby", "aggregates", "having", "offset", "limit", "order")


class NineteenGateway:
    """Plays an Odoo 19 over the gateway of an Odoo 18.

    Args:
        gateway: The Odoo 18.
    """

    def __init__(self, gateway: OdooGateway) -> None:
        self._gateway = gateway

    async def version(self, instance: str) -> ServerVersion:
        """Answer the version that is played; see ``OdooGateway``."""
        del instance
        return VERSION

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        return await self._gateway.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method as Odoo 19 knows it; see ``OdooGateway``."""
        if call.method == "formatted_read_group":
            return await self._formatted(session, call)
        older = {
            new: old for (name, old), new in RENAMED.items() if name == call.method
        }
        kwargs = {older.get(name, name): value for name, value in call.kwargs.items()}
        answer = await self._gateway.execute(session, replace(call, kwargs=kwargs))
        if call.method in ONE_RECORD and type(answer) is int:
            return [answer]
        return answer

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the gateway tells of its methods, as Odoo 19 names them."""
        told = await self._gateway.methods(session, model)
        return None if told is None else [_renamed(method) for method in told]

    async def _formatted(self, session: Session, call: Call) -> list[dict[str, Any]]:
        given = {**dict(zip(_FORMATTED, call.args, strict=False)), **call.kwargs}
        groupby: list[str] = list(given.get("groupby") or ())
        figures = [key for key in given.get("aggregates") or () if key != "__count"]
        names = {key: f"figure_{number}" for number, key in enumerate(figures)}
        kwargs = {
            "domain": given["domain"],
            "fields": [_figure(key, name) for key, name in names.items()],
            "groupby": groupby,
            "offset": given.get("offset", 0),
            "limit": given.get("limit"),
            "orderby": _order(given.get("order"), names),
            "lazy": False,
        }
        rows = await self._gateway.execute(
            session, replace(call, method="read_group", args=(), kwargs=kwargs)
        )
        return [_row(row, groupby, names) for row in rows]


def _renamed(method: MethodInfo) -> MethodInfo:
    parameters = tuple(
        replace(one, name=RENAMED.get((method.name, one.name), one.name))
        for one in method.parameters
    )
    return replace(method, parameters=parameters)


def _figure(key: str, name: str) -> str:
    field, _, function = key.partition(":")
    return f"{name}:{function}({field})"


def _order(order: str | None, names: Mapping[str, str]) -> str | bool:
    if not order:
        return False
    terms = (term.strip().partition(" ") for term in order.split(","))
    return ", ".join(f"{names.get(key, key)}{gap}{way}" for key, gap, way in terms)


def _row(
    row: Mapping[str, Any], groupby: list[str], names: Mapping[str, str]
) -> dict[str, Any]:
    ranges: Mapping[str, Any] = row.get("__range") or {}
    new: dict[str, Any] = {}
    extra: list[list[Any]] = []
    for key in groupby:
        field, _, granularity = key.partition(":")
        value = new[key] = row[key]
        if key in ranges and not granularity:
            raise OdooFailed(
                "Odoo failed on this call.",
                f"ValueError: Granularity not set on a date(time) field: {field!r}",
            )
        match ranges.get(key), value:
            case {"from": start, "to": end}, label:
                new[key] = [start, label]
                extra += [[field, ">=", start], [field, "<", end]]
            case _, [record_id, _]:
                extra.append([field, "=", record_id])
            case _ if granularity and key not in ranges:
                extra.append([f"{field}.{granularity}", "=", value])
            case _:
                extra.append([field, "=", value])
    new["__extra_domain"] = ["&"] * (len(extra) - 1) + (extra or [[1, "=", 1]])
    new["__count"] = row["__count"]
    return new | {key: row[name] for key, name in names.items()}


if TYPE_CHECKING:
    _: type[OdooGateway] = NineteenGateway
