"""Messages on records: ``message_post`` (``addons/mail/models/mail_thread.py``)."""

import base64
import html
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from odooport.model import Command
from odooport_adapters.memory import externals, faults
from odooport_adapters.memory.environment import Environment, shown_moment
from odooport_adapters.memory.registry import Behaviour, Model
from odooport_adapters.memory.writing import check_records, create

_NOTE = "mail.mt_note"


def message_post(
    env: Environment,
    model: Model,
    ids: list[int],
    *,
    body: str = "",
    subject: str | bool = False,
    message_type: str = "notification",
    body_is_html: bool = False,
    subtype_xmlid: str | None = None,
    subtype_id: int | bool = False,
    partner_ids: Sequence[int] | None = None,
    attachments: Sequence[Sequence[str]] | None = None,
    attachment_ids: Sequence[int] | None = None,
    email_from: str | None = None,
    **others: Any,
) -> int:
    """Post a message and answer its id.

    By default it is an internal note. A body of text is escaped, as Odoo does over RPC.
    Nobody is notified: there is no mail here.
    """
    check_records(env, model, ids, "read")
    if len(ids) != 1:
        shown = ", ".join(map(str, ids))
        raise faults.crash("ValueError", f"Expected singleton: {model.name}({shown})")
    env.existing(model.name, ids)
    if others:
        names = ", ".join(others)
        text = f"Those values are not supported when posting or notifying: {names}"
        raise faults.crash("ValueError", text)
    sudo = env.sudo()
    partner = env.get("res.users", env.uid, "partner_id") or 0
    values = {
        "model": model.name,
        "res_id": ids[0],
        "record_name": env.display_name(model.name, ids[0]),
        "body": body if body_is_html else html.escape(body),
        "subject": subject,
        "message_type": message_type,
        "subtype_id": subtype_id or _subtype(env, subtype_xmlid),
        "author_id": partner,
        "email_from": email_from or env.get("res.partner", partner, "email_formatted"),
        "date": shown_moment(env.moment),
        "is_internal": False,
        "partner_ids": [Command.set(list(partner_ids or ()))],
        "attachment_ids": [
            *(Command.link(one) for one in attachment_ids or ()),
            *(
                Command.create(
                    {
                        "name": name,
                        "datas": base64.b64encode(content.encode()).decode(),
                        "res_model": model.name,
                        "res_id": ids[0],
                    }
                )
                for name, content in attachments or ()
            ),
        ],
    }
    return create(sudo, env.model("mail.message"), [values])[0]


def _subtype(env: Environment, name: str | None) -> int | bool:
    """Answer the kind of message of that name; the one for notes if there is none."""
    found = externals.find(env, name or _NOTE) or externals.find(env, _NOTE)
    return found[2] if found else False


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "mail.message": Behaviour(name_fields=("record_name",)),
        "mail.message.subtype": Behaviour(defaults={"default": True, "sequence": 1}),
    }
)
"""What messages and their kin do beyond keeping values."""
