"""What is closed, or hidden, unless a rule names it: secrets, rights and code.

Source of the names: the models of Odoo 18 and of its community addons.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

SENSITIVE_MODELS = frozenset(
    {
        "account_edi_proxy_client.user",
        "auth.oauth.provider",
        "auth.passkey.key",
        "auth.passkey.key.create",
        "auth.totp.rate.limit.log",
        "auth_totp.device",
        "auth_totp.wizard",
        "base.automation",
        "calendar.provider.config",
        "certificate.certificate",
        "certificate.key",
        "change.password.own",
        "change.password.user",
        "change.password.wizard",
        "fetchmail.server",
        "google.service",
        "iap.account",
        "ir.actions.server",
        "ir.actions.todo",
        "ir.config_parameter",
        "ir.cron",
        "ir.cron.progress",
        "ir.cron.trigger",
        "ir.logging",
        "ir.mail_server",
        "ir.model.access",
        "ir.rule",
        "mail.ice.server",
        "mail.push.device",
        "mail.template",
        "microsoft.service",
        "payment.provider",
        "payment.provider.onboarding.wizard",
        "payment.token",
        "res.company.ldap",
        "res.config",
        "res.config.settings",
        "res.device",
        "res.device.log",
        "res.users.apikeys",
        "res.users.apikeys.description",
        "res.users.apikeys.show",
        "res.users.deletion",
        "res.users.identitycheck",
        "res.users.log",
        "sale.payment.provider.onboarding.wizard",
        "sms.template",
    }
)
"""Models that hold secrets, grant rights or run code; a glob never matches them."""

PROTECTED_MODELS = frozenset(
    {
        "ir.actions.act_url",
        "ir.actions.act_window",
        "ir.actions.client",
        "ir.actions.report",
        "ir.asset",
        "ir.model",
        "ir.model.constraint",
        "ir.model.data",
        "ir.model.fields",
        "ir.model.fields.selection",
        "ir.model.inherit",
        "ir.model.relation",
        "ir.module.module",
        "ir.ui.view",
        "ir.ui.view.custom",
        "res.groups",
        "res.users",
    }
)
"""Models that may be read but are changed only by a rule that names them: who changes
them can give himself rights, or bring code into Odoo."""

TRACKING_MODEL = "mail.tracking.value"
"""It keeps old and new values of any field of any model, in columns of its own."""

ATTACHMENT_MODEL = "ir.attachment"
"""It keeps the content of binary fields of any model, by the name in ``res_field``."""

_SECRET = re.compile(
    r"(.*_)?(password|passwd|secret|r?token|credential|totp_secret"
    r"|(api|secret|private|access|security|encryption|secure|hash)_?keys?)",
    re.ASCII,
)
_SECRETS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "res.users": frozenset(
            {
                "api_key_ids",
                "auth_passkey_key_ids",
                "device_ids",
                "totp_last_counter",
                "totp_trusted_device_ids",
            }
        ),
        "res.partner": frozenset({"signup_type", "signup_expiration", "signup_url"}),
        "ir.ui.view": frozenset({"visibility_password_display"}),
        "website.page": frozenset({"visibility_password_display"}),
    }
)

NAMED_ONLY_IN_CONTEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "account.move": frozenset({"partner_id", "date"}),
        "res.partner": frozenset({"email", "vat", "state_id", "country_id"}),
        "sale.order": frozenset({"partner_id"}),
    }
)
"""What a display name depends on but shows only with keys of the context, which no rule
lets through unless it names them.

Source: ``_compute_display_name`` in ``addons/base/models/res_partner.py`` (the keys
``show_address``, ``show_email`` and ``show_vat``), in
``addons/sale/models/sale_order.py`` (``sale_show_partner_name``) and in
``addons/account/models/account_move.py`` (``input_full_display_name``).
"""

_TELLS_MORE = frozenset(
    {
        "address_inline",
        "html_format",
        "input_full_display_name",
        "partner_show_db_id",
        "sale_show_partner_name",
    }
)


def tells_more(key: str) -> bool:
    """Whether a key of the context makes a display name tell more than usual.

    Source: the same methods as for ``NAMED_ONLY_IN_CONTEXT``; with ``show_address`` a
    partner's name has the whole address, of which its ``depends`` tells a part.
    """
    return key in _TELLS_MORE or key.startswith("show_")


COPIED_UNTOLD: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "mail.mail": MappingProxyType(
            {
                "email_cc": ("res.partner", "email"),
                "email_from": ("res.partner", "email"),
                "email_to": ("res.partner", "email"),
                "reply_to": ("res.partner", "email"),
            }
        ),
        "mail.message": MappingProxyType(
            {
                "email_from": ("res.partner", "email"),
                "reply_to": ("res.partner", "email"),
            }
        ),
        "mail.notification": MappingProxyType(
            {"mail_email_address": ("res.partner", "email")}
        ),
    }
)
"""Fields that hold a copy of another model's field though Odoo does not say so: what is
written into a message when it is posted. Source: ``_message_compute_author`` and
``_notify_get_reply_to`` of ``addons/mail/models/mail_thread.py``."""

NAMED_UNTOLD: Mapping[str, frozenset[str]] = MappingProxyType(
    {"account.move": frozenset({"name", "ref"})}
)
"""What a display name shows though Odoo does not say that it depends on it; source:
``_get_move_display_name`` in ``addons/account/models/account_move.py``."""


def is_secret(model: str, field: str) -> bool:
    """Whether a field holds a password, a key or the like.

    Its name decides, so that it needs no question to Odoo, and so that the fields of
    addons which nobody here has seen are found too.
    """
    return _SECRET.fullmatch(field) is not None or field in _SECRETS.get(model, ())
