"""What schemathesis does besides its own checks; it loads this file by its path."""

import re
from typing import Any

import schemathesis

_OF_ITS_FORM = re.compile(
    r"The argument '|What you send |There is no (parameter|member) |The body is no JSON"
)
"""How a detail begins that speaks of the request's form, not of what is in Odoo."""

_FIELDS = ("comment", "active", "color", "country_id", "category_id", "partner_id")


@schemathesis.check
def only_odoo_can_refuse_what_is_described(
    ctx: Any, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A request in the form that is described is never refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code != 422:
        return
    detail = response.json()["detail"]
    if _OF_ITS_FORM.match(detail):
        raise AssertionError(f"It is described, and yet refused: {detail}")


@schemathesis.check
def a_bad_gateway_is_odoos_own_crash(
    ctx: Any, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Where a 502 is foreseen, it is Odoo that crashed, and rolled the call back."""
    if response.status_code == 502 and response.json()["code"] != "odoo_failed":
        raise AssertionError(response.text)


@schemathesis.hook
def map_headers(ctx: schemathesis.HookContext, headers: Any) -> Any:
    """Leave most pins and tags out: none that is invented fits, and that is the end."""
    for name in [it for it in headers or () if it.lower() == "schema-fingerprint"]:
        if re.fullmatch("[0-9a-e]{16}", str(headers[name])):
            del headers[name]
    for name in [it for it in headers or () if it.lower() == "if-match"]:
        if len(str(headers[name])) % 32:
            del headers[name]
    return headers


@schemathesis.hook("map_path_parameters").apply_to(
    name="DELETE /v1/models/{model}/records/{id}"
)
def map_place(ctx: schemathesis.HookContext, path_parameters: Any) -> Any:
    """Let some of what is to be deleted be there; each goes but once."""
    record_id = (path_parameters or {}).get("id")
    if isinstance(record_id, int) and record_id % 2 and record_id > 0:
        return {"model": "res.partner.category", "id": record_id % 6 + 1}
    return path_parameters


@schemathesis.hook
def map_query(ctx: schemathesis.HookContext, query: Any) -> Any:
    """Leave most of what an address says of the context out: little of it fits."""
    for name in ("extra", "lang", "tz", "company"):
        if len(str((query or {}).get(name, ""))) % 4:
            del query[name]
    return query


@schemathesis.hook.apply_to(
    name=[
        "POST /v1/models/{model}/records",
        "PATCH /v1/models/{model}/records/{id}",
        "POST /v1/models/{model}/records/{id}/copy",
    ]
)
def map_body(ctx: schemathesis.HookContext, body: Any) -> Any:
    """Let half of the values name fields that there are; any object is described."""
    match body:
        case dict():
            return _likely(body)
        case list():
            return [_likely(item) if isinstance(item, dict) else item for item in body]
        case _:
            return body


@schemathesis.hook("map_body").apply_to(name="POST /v1/models/{model}/methods/{method}")
def map_arguments(ctx: schemathesis.HookContext, body: Any) -> Any:
    """Leave half of the arguments out: few methods take any that are invented."""
    if isinstance(body, dict) and len(body.get("args") or ()) % 2:
        return {"ids": body.get("ids") or [1]}
    return body


def _likely(values: dict[str, Any]) -> dict[str, Any]:
    if len(values) % 2:
        return values
    return {"name": "Ada", **dict(zip(_FIELDS, values.values(), strict=False))}
