"""An Odoo in memory: the gateway that dispatches calls to it."""

import hmac
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from odooport.catalogue import BASE, Kind, MethodInfo, Parameter
from odooport.model import Call, Context, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport.signatures import operation_of
from odooport_adapters.memory import (
    contacts,
    externals,
    faults,
    filling,
    messages,
    reflection,
    selling,
)
from odooport_adapters.memory.company import (
    found_company,
    hire_and_sell,
    name_records,
    set_up_shop,
)
from odooport_adapters.memory.environment import Environment, find_one
from odooport_adapters.memory.methods import (
    ARCHIVING,
    GENERIC,
    OWN,
    POSTING,
    PRIVATE,
)
from odooport_adapters.memory.registry import Model, Registry
from odooport_adapters.memory.store import Store, Table
from odooport_adapters.memory.writing import create

DATABASE = "demo"
"""The name of the database unless told otherwise."""

VERSION = ServerVersion("18.0-20250702", (18, 0))
"""The Odoo that was looked at to write this one."""

_KINDS: Mapping[Any, Kind] = {
    inspect.Parameter.POSITIONAL_ONLY: "usual",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "usual",
    inspect.Parameter.VAR_POSITIONAL: "values",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_KEYWORD: "keywords",
}
_SUPERUSER = 1
_ROOT = Context()

type Clock = Callable[[], datetime]
"""Answers the current moment, with its time zone."""

type Handler = Callable[..., Any]
"""Stands in for a method; gets the call's own arguments, ids first."""


def system_clock() -> datetime:
    """Answer the current moment in UTC."""
    return datetime.now(UTC)


class MemoryGateway:
    """A small but true Odoo 18 that lives in memory.

    It keeps records, checks rights, runs its own business methods and answers as Odoo
    does, errors included. Each call is one transaction: it happens whole or not at all.
    A new one holds what every Odoo holds (users, groups, one company, currencies,
    countries); ``demo`` adds a company with customers, leads and orders.

    The users are ``admin`` and ``demo``, each with the login as password; ``admin`` may
    do everything, ``demo`` is a salesman.

    Args:
        database: The database's name.
        models: Models of your own, to add or to take the place of Odoo's.
        fields: For some of Odoo's models, fields of your own to add, such as
            ``{"res.partner": {"x_size": {"type": "char"}}}``.
        clock: Answers the current moment.
    """

    def __init__(
        self,
        *,
        database: str = DATABASE,
        models: Iterable[Model] = (),
        fields: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._database = database
        self._clock = clock
        behaviours = {
            **contacts.BEHAVIOURS,
            **externals.BEHAVIOURS,
            **messages.BEHAVIOURS,
            **reflection.BEHAVIOURS,
            **selling.BEHAVIOURS,
        }
        for name, fills in filling.FILLS.items():
            behaviours[name] = replace(behaviours[name], fills=fills)
        for name, warning in filling.WARNINGS.items():
            behaviours[name] = replace(behaviours[name], warning=warning)
        self._registry = Registry.load(behaviours, models, fields or {})
        self._store = Store()
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._signatures: dict[Callable[..., Any], inspect.Signature] = {}
        for model in self._registry.models.values():
            columns = [field for field in model.fields.values() if field.column]
            looked_up = externals.INDEXED if model.name == externals.DATA else ()
            self._store.tables[model.name] = Table(
                [
                    *(field.name for field in columns if field.type == "many2one"),
                    *looked_up,
                ],
                [field.name for field in columns if field.type == "many2many"],
            )
        with self._store.transaction():
            found_company(self._root())
            root = self._root()
            reflection.reflect(root)
            set_up_shop(root)
            name_records(self._root())

    @classmethod
    def demo(
        cls,
        *,
        database: str = DATABASE,
        extra_partners: int = 0,
        models: Iterable[Model] = (),
        fields: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        clock: Clock = system_clock,
    ) -> "MemoryGateway":
        """Answer a gateway with a small believable company in it.

        Args:
            database: The database's name.
            extra_partners: How many more contacts to create, for load tests.
            models: Models of your own, to add or to take the place of Odoo's.
            fields: For some of Odoo's models, fields of your own to add.
            clock: Answers the current moment; the company's dates lie around it.
        """
        gateway = cls(database=database, models=models, fields=fields, clock=clock)
        with gateway._store.transaction():
            hire_and_sell(gateway._root(), extra_partners)
        return gateway

    def _root(self) -> Environment:
        return Environment(
            self._registry,
            self._store,
            _SUPERUSER,
            _ROOT,
            self._now(),
            superuser=True,
        )

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)

    def add(self, model: str, *records: dict[str, Any]) -> list[int]:
        """Create records beside all rights, and answer their ids.

        Args:
            model: The model.
            records: The values of each record, as ``create`` takes them.

        Raises:
            OdooRefused: The model's own rules say no.
            OdooFailed: The values do not fit the fields.
        """
        with self._store.transaction():
            env = self._root()
            return create(env, env.model(model), records)

    def on(self, model: str, method: str, handler: Handler) -> None:
        """Let a handler stand in for a method.

        Args:
            model: The model.
            method: The method, known or not.
            handler: Gets the call's arguments as they are, and answers what the
                method shall answer. It may be a coroutine function, and may raise.
        """
        self._handlers[model, method] = handler

    async def version(self, instance: str) -> ServerVersion:
        """Answer which Odoo this one was modelled on; every instance is the same."""
        del instance
        return VERSION

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in.

        Raises:
            AuthenticationFailed: The login is not valid, or there is no such database.
        """
        self._check_database(credentials.database)
        users = self._store.tables["res.users"].rows
        uid = find_one(users, login=credentials.login, active=True)
        session = Session(
            credentials.database, uid or 0, credentials.secret, credentials.instance
        )
        if uid is None or not self._proves(uid, session.secret):
            raise faults.login_refused(
                "Odoo refused the login: check the user's name and its password or "
                "API key."
            )
        return session

    def _proves(self, uid: int, secret: str) -> bool:
        row = self._store.tables["res.users"].rows.get(uid)
        own: object = row.get("secret") if row and row.get("active") else None
        return isinstance(own, str) and hmac.compare_digest(
            own.encode("utf-8"), secret.encode("utf-8", "surrogatepass")
        )

    def _check_database(self, database: str) -> None:
        if database != self._database:
            raise faults.login_refused(
                f"There is no database {database!r} here; check its name."
            )

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method and answer what it returned; None if it returned nothing.

        Raises:
            AuthenticationFailed: The session is not valid any more.
            InvalidRequest: There is no such method.
            OdooAccessError: The user's rights do not allow it.
            RecordMissing: A record is not there.
            OdooRefused: A business rule says no.
            OdooFailed: A real Odoo would have crashed.
        """
        self._check_session(session)
        handler = self._handlers.get((call.model, call.method))
        if handler is not None:
            answer = handler(*call.args, **call.kwargs)
            if inspect.isawaitable(answer):
                return await answer
            return answer
        with self._store.transaction():
            return self._run(session.uid, call)

    def _check_session(self, session: Session) -> None:
        self._check_database(session.database)
        if session.uid not in self._store.tables["res.users"].rows:
            raise faults.login_refused("The user is gone: log in.", gone=session.uid)
        if not self._proves(session.uid, session.secret):
            raise faults.login_refused("The login is not valid any more: log in again.")

    async def methods(self, session: Session, model: str) -> list[MethodInfo] | None:
        """Answer the methods that it has, which are fewer than those of an Odoo.

        A real Odoo 18 tells nothing; but what is known of that one would be untrue of
        this one. None for a model that it does not have.

        Raises:
            AuthenticationFailed: The session is not valid any more.
        """
        self._check_session(session)
        found = self._registry.models.get(model)
        return None if found is None else list(self._methods_of(found))

    def _methods_of(self, model: Model) -> Iterator[MethodInfo]:
        generic = dict(GENERIC)
        if "active" in model.fields:
            generic |= ARCHIVING
        if "message_ids" in model.fields:
            generic |= POSTING
        own = {name: one for (of, name), one in OWN.items() if of == model.name}
        own |= model.behaviour.methods
        for name, (function, on_records) in generic.items():
            if name not in own:
                # the environment and the model come first
                yield self._told(BASE, model, name, function, 2, on_records)
        for name, method in own.items():
            yield self._told(model.name, model, name, method.run, 1, method.on_records)

    def _told(
        self,
        declared: str,
        model: Model,
        name: str,
        function: Callable[..., Any],
        hidden: int,
        on_records: bool,
    ) -> MethodInfo:
        parameters = list(self._signature(function).parameters.values())
        return MethodInfo(
            model=declared,
            name=name,
            parameters=tuple(
                Parameter(one.name, one.default is one.empty, _KINDS[one.kind])
                for one in parameters[hidden + on_records :]
            ),
            on_records=on_records,
            operation=operation_of(Call(model.name, name)),
            module="core" if declared == BASE else "",
            source="server",
        )

    def _run(self, uid: int, call: Call) -> Any:
        env = Environment(self._registry, self._store, uid, call.context, self._now())
        env.check_language()
        model = env.model(call.model)
        function, first, on_records = self._method(env, model, call.method)
        args = [*first, *call.args]
        if on_records:
            args[len(first) : len(first) + 1] = [_ids(call.args)]
        try:
            self._signature(function).bind(*args, **call.kwargs)
        except TypeError as error:
            text = f"{model.name}.{call.method}() {error}"
            raise faults.crash("TypeError", text) from error
        return function(*args, **call.kwargs)

    def _signature(self, function: Callable[..., Any]) -> inspect.Signature:
        signature = self._signatures.get(function)
        if signature is None:
            signature = self._signatures[function] = inspect.signature(function)
        return signature

    @staticmethod
    def _method(
        env: Environment, model: Model, name: str
    ) -> tuple[Callable[..., Any], tuple[Any, ...], bool]:
        """Answer a method: function, first arguments, whether ids come next."""
        if name.startswith("_") or name in PRIVATE:
            raise faults.private(model.name, name)
        own = OWN.get((model.name, name)) or model.behaviour.methods.get(name)
        if own is not None:
            return own.run, (env,), own.on_records
        generic = GENERIC.get(name)
        if generic is None and "active" in model.fields:
            generic = ARCHIVING.get(name)
        if generic is None and "message_ids" in model.fields:
            generic = POSTING.get(name)
        if generic is None:
            raise faults.no_method(model.name, name)
        return generic[0], (env, model), generic[1]


def _ids(args: Sequence[Any]) -> list[int]:
    """Answer the ids that a method is called on.

    Raises:
        OdooFailed: There are none; Odoo crashes with the same exceptions.
    """
    if not args:
        raise faults.crash("IndexError", "tuple index out of range")
    first = args[0]
    if type(first) is int:
        return [first]
    if not first:
        return []
    ids = cast("Sequence[Any]", first) if isinstance(first, list | tuple) else [first]
    for record_id in ids:
        if type(record_id) is not int:
            raise faults.crash(
                "psycopg2.errors.InvalidTextRepresentation",
                f'invalid input syntax for type integer: "{record_id}"',
            )
    return list(ids)


if TYPE_CHECKING:
    _: type[OdooGateway] = MemoryGateway
