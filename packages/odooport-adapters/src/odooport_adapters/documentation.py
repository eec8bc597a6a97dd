"""What an Odoo 19 tells of its own methods: ``/doc-bearer/<model>.json``.

The document describes each public method of a model: its parameters as Python declares
them, and its docstring as HTML. Odoo shows it to the group ``api_doc.group_allow_doc``,
which administrators are in, and takes an API key only. Source:
``addons/api_doc/controllers/api_doc.py`` of Odoo 19.
"""

import html
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from odooport.cache import FlightCache
from odooport.catalogue import BASE, Kind, MethodInfo, Parameter
from odooport.errors import (
    AuthenticationFailed,
    GatewayProtocolError,
    GatewayUnavailable,
    OdooAccessError,
    OdooRefused,
)
from odooport.model import Call, Operation, Session
from odooport.scalars import is_mapping, is_sequence
from odooport.signatures import operation_of
from odooport_adapters.faults import Asker, from_json2
from odooport_adapters.http import HttpAnswer, OdooHttp, refused
from odooport_adapters.rpc import API_KEY

ACCEPT = frozenset({"application/json"})
_OK, _BROKEN = 200, 500

_MODEL = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*", re.ASCII | re.IGNORECASE)

_KEPT_METHODS = 20_000
_KEPT_SECONDS = 300.0
"""How long a description stays good: an app may be installed, a right be given."""

_MOST_METHODS = 2_000
_MOST_PARAMETERS = 100
_NAME = 200
_SENTENCE = 300
_LOOKED_AT = 4_000
"""How much of one docstring is looked at for its first sentence."""

_KINDS: Mapping[str, Kind] = {
    "VAR_POSITIONAL": "values",
    "KEYWORD_ONLY": "keyword",
    "VAR_KEYWORD": "keywords",
}
_PARAGRAPH = re.compile(r"<p(?: class=\"first[^\"]*\")?>(?P<text>.*?)(?:</p>|\Z)", re.S)
_FIRST = re.compile(r".*?(?<!e\.g)(?<!i\.e)[.!?:](?=\s|\Z)", re.S)
_OUR_FAULT = "system-message"
"""The class of what docutils could not read."""

type Methods = tuple[MethodInfo, ...]


class Documentation:
    """Asks one Odoo server what it tells of its methods, and keeps the answers.

    Args:
        http: The client of that server.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self, http: OdooHttp, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._kept: FlightCache[tuple[Session, str], Methods] = FlightCache(
            size=_KEPT_METHODS,
            seconds=_KEPT_SECONDS,
            clock=clock,
            weigh=lambda methods: max(len(methods), 1),
        )

    async def methods(self, session: Session, model: str) -> Methods | None:
        """Answer what the server tells; see ``OdooGateway.methods``.

        The session's secret must be an API key that a header can carry.
        """
        if not _MODEL.fullmatch(model):
            return None
        told = await self._kept.get((session, model), lambda: self._ask(session, model))
        return told or None

    async def told_to_a_key(self, session: Session, model: str) -> Methods | None:
        """Answer what the server tells, on a wire that takes passwords as well.

        A password is never sent there.
        """
        if not API_KEY.fullmatch(session.secret):
            return None
        try:
            return await self.methods(session, model)
        except AuthenticationFailed:
            return None  # it only looked like a key; the other wire judges logins

    async def _ask(self, session: Session, model: str) -> Methods:
        answer = await self._http.exchange(
            f"/doc-bearer/{model}.json",
            headers=bearer(session),
            accept=ACCEPT,
            writes=False,
        )
        if not answer.is_data:
            page = refused(answer, writes=False)
            if isinstance(page, GatewayUnavailable) or answer.status >= _BROKEN:
                raise page
            return ()  # a page: Odoo 18, or the app is not installed
        value = _decoded(answer)
        if answer.status == _OK:
            return read_document(model, value)
        match value:
            case {"name": str(), "message": str()}:
                error = from_json2(value, Asker(session.database, session.uid))
            case _:
                raise refused(answer, writes=False)
        if isinstance(error, OdooAccessError | OdooRefused):
            return ()  # not in the group, may not read the model, or no such model
        raise error


def bearer(session: Session) -> dict[str, str]:
    """Answer the headers of the routes that take an API key."""
    return {
        "Authorization": f"Bearer {session.secret}",
        "Content-Type": "application/json",
        "X-Odoo-Database": session.database,
    }


def read_document(model: str, raw: Any) -> Methods:
    """Read the document of one model.

    Args:
        model: The model.
        raw: The document, as decoded.

    Raises:
        GatewayProtocolError: It is no such document.
    """
    try:
        methods = _items(raw["methods"])
        if len(methods) > _MOST_METHODS:
            raise ValueError("too many methods")
        return tuple(_method(model, name, entry) for name, entry in methods)
    except (LookupError, TypeError, ValueError) as exc:
        raise GatewayProtocolError("Odoo did not describe its methods.") from exc


def _method(model: str, name: str, entry: Any) -> MethodInfo:
    parameters = _items(entry.get("parameters") or {}) if is_mapping(entry) else None
    if parameters is None or len(parameters) > _MOST_PARAMETERS:
        raise ValueError("a method is described by its parameters")
    api = entry.get("api") or ()
    if not is_sequence(api):
        raise ValueError("the decorators are a list")
    declared = str(entry.get("signature") or "")
    operation = operation_of(Call(model, name))
    if operation is Operation.CALL and "readonly" in api:
        operation = Operation.READ  # Odoo runs it where nothing can be written
    origin = _short(entry.get("model") or model)
    return MethodInfo(
        model=BASE if origin == "core" else origin,
        name=_short(name),
        parameters=tuple(_parameter(key, one, declared) for key, one in parameters),
        on_records="model" not in api,
        summary=first_sentence(entry.get("doc")),
        operation=operation,
        module=_short(entry.get("module") or ""),
        source="server",
    )


def _parameter(name: str, entry: Any, declared: str) -> Parameter:
    if not is_mapping(entry):
        raise ValueError("a parameter is described by an object")
    kind = _KINDS.get(str(entry.get("kind")), "usual")
    # the document leaves out defaults that JSON does not know, the signature does not
    optional = "default" in entry or f" {name}=" in declared.replace("(", " ")
    annotation = entry.get("annotation")
    return Parameter(
        name=_short(name),
        required=kind not in ("values", "keywords") and not optional,
        kind=kind,
        type=str(annotation)[:_NAME] if annotation else None,
        summary=first_sentence(entry.get("doc")),
    )


def first_sentence(doc: Any) -> str:
    """Answer the first sentence of a docstring that was made HTML, as plain text."""
    if not isinstance(doc, str):
        return ""
    looked_at = doc[:_LOOKED_AT].partition(_OUR_FAULT)[0]
    found = _PARAGRAPH.search(looked_at)
    if found is None:
        return ""
    text = html.unescape(re.sub(r"<[^>]*>", "", found["text"]))
    text = " ".join(text.split())
    sentence = match[0] if (match := _FIRST.match(text)) else text
    if len(sentence) > _SENTENCE:
        return f"{sentence[: _SENTENCE - 1].rstrip()}…"
    if not sentence or sentence.endswith((".", "!", "?")):
        return sentence
    return f"{sentence.rstrip(':')}."


def _short(raw: Any) -> str:
    text = str(raw)
    if len(text) > _NAME:
        raise ValueError("that is no name")
    return text


def _decoded(answer: HttpAnswer) -> Any:
    try:
        return json.loads(answer.body.decode())
    except (ValueError, RecursionError) as exc:
        raise GatewayProtocolError("Odoo's answer is no readable JSON.") from exc


def _items(raw: Any) -> Sequence[tuple[str, Any]]:
    """Answer the members of a JSON object; its keys are text."""
    if not is_mapping(raw):
        raise ValueError("it is an object")
    return list(raw.items())
