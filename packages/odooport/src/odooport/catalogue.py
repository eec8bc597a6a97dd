"""What is known of the public methods of Odoo 18's standard apps.

Odoo 18 tells nobody which methods its models have. So this is a curated list of those
that programs call: the ones that every model has, the buttons of the standard apps and
what their wizards do. Names, parameters and files are those of Odoo 18.0, checked
against its source; the sentences are ours. Odoo 19 documents itself
(``OdooGateway.methods``), and then ``merged`` adds what only this list knows.

It informs, and decides nothing: what a principal may call is judged by ``signatures``
and the policy, which take every method that they do not know for one that may do
anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from odooport.model import Operation
from odooport.schema import ModelSchema

type Kind = Literal["usual", "keyword", "values", "keywords"]
"""How a parameter is given: by position or by name, by name only, as any number of
further values, or as any number of further names."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method.

    Attributes:
        name: What Odoo calls it.
        required: Whether it must be given.
        kind: How it is given.
        type: What Odoo says it takes, if it says so.
        summary: What it is for, in one sentence, if that is known.
    """

    name: str
    required: bool = True
    kind: Kind = "usual"
    type: str | None = None
    summary: str = ""

    def __str__(self) -> str:
        """Answer it as Python would declare it, but for the default."""
        stars = {"values": "*", "keywords": "**"}.get(self.kind, "")
        optional = not self.required and not stars
        return f"{stars}{self.name}{'=…' if optional else ''}"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What is known of one public method of a model.

    Attributes:
        model: The model that declares it: the model itself, a mixin such as
            ``mail.thread``, or ``base`` for what every model has.
        name: Its name.
        parameters: Its parameters in order, without the records it is called on.
        on_records: Whether it is called on records, whose ids then come first.
        summary: What it does, in one sentence; empty if nobody says.
        operation: What it is known to do to records; ``CALL`` if that is not known. It
            may touch other models as well.
        outside: What it may reach outside of Odoo, as far as is known: ``mail``,
            ``sms``, ``payment`` or ``edi`` (exchange of documents with authorities and
            partners).
        module: The app that brings it; ``core`` for Odoo itself, empty if nobody says.
        file: Where it is declared in the source of Odoo 18; None if only the server
            told about it.
        source: Who says all this: Odoo's own documentation, or our catalogue.
    """

    model: str
    name: str
    parameters: tuple[Parameter, ...] = ()
    on_records: bool = True
    summary: str = ""
    operation: Operation = Operation.CALL
    outside: tuple[str, ...] = ()
    module: str = "core"
    file: str | None = None
    source: Literal["server", "catalogue"] = "catalogue"

    @property
    def signature(self) -> str:
        """Name and parameters, such as ``send_mail(res_id, force_send=…)``."""
        shown: list[str] = []
        by_name = False
        for parameter in self.parameters:
            if parameter.kind == "keyword" and not by_name:
                shown.append("*")
            by_name = by_name or parameter.kind in ("keyword", "values")
            shown.append(str(parameter))
        return f"{self.name}({', '.join(shown)})"


def catalogued(schema: ModelSchema) -> dict[str, MethodInfo]:
    """Answer what the catalogue knows of a model's methods, by name.

    A mixin's methods are those of every model that has the mixin's field, as far as
    the user sees it; and only what has a field ``active`` can be archived.

    Args:
        schema: The model.
    """
    mixins = [name for name, field in _SHOWN_BY.items() if field in schema.fields]
    found = {
        method.name: method
        for declared in (BASE, *mixins, schema.model)
        for method in CATALOGUE.get(declared, ())
    }
    if "active" not in schema.fields:
        found = {name: one for name, one in found.items() if name not in _ARCHIVING}
    return found


def merged(
    schema: ModelSchema, told: Iterable[MethodInfo] | None
) -> dict[str, MethodInfo]:
    """Answer what is known of the methods that can be called by name.

    Those with an operation of their own are left out (``OWN_OPERATIONS``).

    Args:
        schema: The model.
        told: What the server tells; None if it tells nothing. It decides which methods
            there are and what they take; the catalogue adds what only it knows.
    """
    known = catalogued(schema)
    found = known.values() if told is None else told
    return {
        one.name: one if told is None else _completed(one, known.get(one.name))
        for one in found
        if one.name not in OWN_OPERATIONS
    }


def matching(methods: Iterable[MethodInfo], query: str, model: str) -> list[MethodInfo]:
    """Answer the methods that a query may mean, in the order given.

    Every word of it must be in the name, the summary or the model's name, or a word
    that Odoo's apps use for the same: one posts an invoice, confirms an order and
    validates a transfer.

    Args:
        methods: What to look through.
        model: The model that has the methods.
        query: A few words; those such as ``the`` do not count, nor does a plural.
    """
    wanted = [
        _MEANS.get(word, frozenset({word}))
        for word in map(_singular, re.findall(r"[^\W_]+", query.casefold()))
        if word not in _IDLE
    ]
    return [
        method
        for method in methods
        if all(_says(method, model, meanings) for meanings in wanted)
    ]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _says(method: MethodInfo, model: str, meanings: Iterable[str]) -> bool:
    text = f"{method.name} {method.summary} {model}".casefold()
    return any(meaning in text for meaning in meanings)


_IDLE = frozenset({"a", "an", "and", "for", "in", "of", "on", "or", "the", "to"})
"""Words of a query that say nothing of the method."""

_MEANS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        word: frozenset(words)
        for words in (
            ("approve", "confirm", "post", "validate"),
            ("complete", "done", "finish", "feedback"),
            ("cancel", "refuse", "reject"),
            ("bill", "entries", "entry", "invoice"),
            ("delete", "remove", "unlink"),
            ("archive", "hide"),
            ("comment", "message", "note"),
            ("mail", "email"),
            ("reset", "draft"),
        )
        for word in words
    }
)
"""What else a word may be called in the apps of Odoo."""


def _completed(told: MethodInfo, known: MethodInfo | None) -> MethodInfo:
    if known is None:
        return told
    unsaid = told.operation is Operation.CALL
    return replace(
        told,
        summary=told.summary or known.summary,
        operation=known.operation if unsaid else told.operation,
        outside=known.outside,
        module=told.module or known.module,
    )


_RECORDS = "/v1/models/{model}/records"


def _own(tool: str, route: str, use_case: str) -> str:
    return f"{tool} over MCP, {route} at REST, Odoo.{use_case} in Python"


_SEARCH = _own("search_records", f"GET {_RECORDS}", "search_read")
_READ = _own("read_records", f"GET {_RECORDS}/{{id}}", "read")
_CREATE = _own("create_records", f"POST {_RECORDS}", "create")
_UPDATE = _own("update_records", f"PATCH {_RECORDS}/{{id}}", "write")
_AGGREGATE = _own("aggregate_records", "GET /v1/models/{model}/aggregate", "aggregate")

OWN_OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "search": _SEARCH,
        "search_read": _SEARCH,
        "web_search_read": _SEARCH,
        "search_count": _own(
            "count_records", f"GET {_RECORDS} with count=exact", "count"
        ),
        "name_search": _own(
            "search_records with q", f"GET {_RECORDS} with q", "name_search"
        ),
        "read": _READ,
        "web_read": _READ,
        "get_field_translations": _own(
            "read_records with languages",
            f"GET {_RECORDS}/{{id}} with languages",
            "read",
        ),
        "read_group": _AGGREGATE,
        "web_read_group": _AGGREGATE,
        "fields_get": _own("describe_model", "GET /v1/models/{model}", "describe"),
        "default_get": _own(
            "describe_model with level create",
            "GET /v1/models/{model}/defaults",
            "default_get",
        ),
        "onchange": _own(
            "preview_values", "POST /v1/models/{model}/onchange", "onchange"
        ),
        "get_views": _own(
            "record_actions", f"GET {_RECORDS}/{{id}}/actions", "actions"
        ),
        "create": _CREATE,
        "copy": _own("copy_record", f"POST {_RECORDS}/{{id}}/copy", "copy"),
        "write": _UPDATE,
        "update_field_translations": _UPDATE,
        "web_save": f"{_UPDATE}; for a new record {_CREATE}",
        "unlink": _own("delete_records", f"DELETE {_RECORDS}/{{id}}", "unlink"),
    }
)
"""Methods that are not called by name, and what does the same at each door. That checks
what it is given, and answers clean values."""

BASE = "base"
"""The model that every other one inherits from."""

_SHOWN_BY = MappingProxyType(
    {
        "mail.thread": "message_ids",
        "mail.activity.mixin": "activity_ids",
        "portal.mixin": "access_url",
    }
)
"""For each mixin, a field that shows that a model has it."""

_ARCHIVING = frozenset({"action_archive", "action_unarchive", "toggle_active"})

_TABLE = """
[base] odoo/models.py
@search(domain, offset=, limit=, order=) read
    Find records and answer their ids.
@search_count(domain, limit=) read
    Count the records that a domain finds.
@search_read(domain=, fields=, offset=, limit=, order=, **) read
    Find records and answer their fields in one step.
read(fields=, load=) read
    Answer fields of records.
@read_group(domain, fields, groupby, offset=, limit=, orderby=, lazy=) read
    Group records and sum them up.
@name_search(name=, args=, operator=, limit=) read
    Find records by their display name; answer ids with names.
@fields_get(allfields=, attributes=) read
    Describe the fields that the user may see.
@default_get(fields_list) read
    Answer the defaults of a new record.
has_access(operation) read
    Tell whether the user may do an operation; on no records, at all.
@check_access_rights(operation, raise_exception=) read
    Tell whether the user may do an operation; has_access is newer.
get_metadata() read
    Answer who made and changed records, when, and external ids.
get_external_id() read
    Answer one external id of each record.
get_field_translations(field_name, langs=) read
    Answer a field's text in each language.
exists() read
    Answer which of the records are still there.
@create(vals_list) create
    Create records; defaults fill in what is not given.
@name_create(name) create
    Create a record from nothing but its name.
copy(default=) create
    Copy records; fields that may not repeat are left out.
@load(fields, data) call
    Import rows as text, creating and updating by external id.
export_data(fields_to_export) call
    Export fields as text; the column id makes external ids.
write(vals) write
    Change fields of records.
update_field_translations(field_name, translations, source_lang=) write
    Change a field's text in some languages.
unlink() unlink
    Delete records for good.
action_archive() write
    Hide records from searches without deleting them.
action_unarchive() write
    Show archived records again.
toggle_active() write
    Archive the active records and show the archived ones again.

[base] addons/web/models/models.py
web_read(specification) read
    Answer fields of records, and of what they point to.
@web_search_read(domain, specification, offset=, limit=, order=, count_limit=) read
    Find records, answer fields of them and how many there are.
@web_read_group(domain, fields, groupby, limit=, offset=, orderby=, lazy=) read
    Group records as lists do, with the number of groups.
web_save(vals, specification, next_id=) write
    Change or create a record, and answer its fields.
onchange(values, field_names, fields_spec) read
    Answer what a form would fill in after a change; saves nothing.

[base] addons/base/models/ir_ui_view.py
@get_views(views, options=) read
    Answer the views of a model as this user sees them.

[mail.thread] addons/mail/models/mail_thread.py
message_post(*, body=, subject=, message_type=, email_from=, author_id=, parent_id=, \
        subtype_xmlid=, subtype_id=, partner_ids=, attachments=, attachment_ids=, \
        body_is_html=, **) create mail
    Write a message or a note; notifies followers and recipients.
message_post_with_source(source_ref, render_values=, message_type=, subtype_xmlid=, \
        subtype_id=, **) create mail
    Write a message whose text comes from a template or view.
message_mail_with_source(source_ref, render_values=, message_type=, auto_commit=, \
        **) create mail
    Send e-mails whose text comes from a template or view.
message_notify(*, body=, subject=, author_id=, email_from=, model=, res_id=, \
        subtype_xmlid=, subtype_id=, partner_ids=, attachments=, attachment_ids=, \
        **) create mail
    Notify partners without leaving a message on the record.
message_subscribe(partner_ids=, subtype_ids=) write
    Let partners follow the records.
message_unsubscribe(partner_ids=) write
    Let partners follow the records no more.

[mail.activity.mixin] addons/mail/models/mail_activity_mixin.py
activity_schedule(act_type_xmlid=, date_deadline=, summary=, note=, **) create mail
    Plan an activity on each record, for a user and a day.
activity_feedback(act_type_xmlids, user_id=, feedback=, attachment_ids=) write
    Mark planned activities of some types as done.
activity_reschedule(act_type_xmlids, user_id=, date_deadline=, new_user_id=) write \
        mail
    Move planned activities of some types to a day or a user.
activity_unlink(act_type_xmlids, user_id=) unlink
    Delete planned activities of some types.

[portal.mixin] addons/portal/models/portal_mixin.py
get_portal_url(suffix=, report_type=, download=, query_string=, anchor=) write
    Answer the portal address with an access token, made if needed.

[mail.activity] addons/mail/models/mail_activity.py
action_feedback(feedback=, attachment_ids=) write
    Mark activities as done, with a remark; answers the message's id.
action_done() write
    Mark activities as done.
action_feedback_schedule_next(feedback=, attachment_ids=) write
    Mark as done and plan what follows, or answer its window.
action_cancel() unlink
    Delete planned activities.
action_snooze() write
    Move an activity a week ahead.

[mail.message] addons/mail/models/mail_message.py
@mark_all_as_read(domain=) write
    Mark the user's messages that a domain finds as read.
toggle_message_starred() write
    Set or take away the user's star on a message.

[mail.mail] addons/mail/models/mail_mail.py
send(auto_commit=, raise_exception=, post_send_callback=) call mail
    Send e-mails at once.
mark_outgoing() write mail
    Put e-mails back into the queue that is sent next.
cancel() write
    Take e-mails out of the queue.

[mail.template] addons/mail/models/mail_template.py
send_mail(res_id, force_send=, raise_exception=, email_values=, email_layout_xmlid=) \
        create mail
    Make an e-mail from the template for one record; send or queue it.
send_mail_batch(res_ids, force_send=, raise_exception=, email_values=, \
        email_layout_xmlid=) create mail
    Make e-mails from the template for records; send or queue them.

[mail.compose.message] addons/mail/wizard/mail_compose_message.py
action_send_mail() call mail
    Send what was composed.

[discuss.channel] addons/mail/models/discuss/discuss_channel.py
@channel_create(name, group_id) create
    Create a channel, open to a group or to everybody.
@channel_get(partners_to, pin=, force_open=) create
    Answer the chat with one partner; starts it if there is none.
add_members(partner_ids=, guest_ids=, invite_to_rtc_call=, open_chat_window=, \
        post_joined_message=) write mail
    Add partners to a channel.
action_unfollow() write
    Leave a channel.

[calendar.event] addons/calendar/models/calendar_event.py
action_join_meeting(partner_id) write mail
    Add a partner to a meeting.
action_sendmail() call mail
    Send the invitation to every attendee.
change_attendee_status(status, recurrence_update_setting) write mail
    Set the user's own answer to an invitation.
action_mass_archive(recurrence_update_setting) write
    Archive a recurring meeting: this one, those after it, or all.
action_mass_deletion(recurrence_update_setting) unlink
    Delete a recurring meeting: this one, those after it, or all.

[calendar.attendee] addons/calendar/models/calendar_attendee.py
do_accept() write mail
    Accept an invitation.
do_decline() write mail
    Decline an invitation.

[sms.composer] addons/sms/wizard/sms_composer.py
action_send_sms() call sms
    Send the text message; it costs credits.

[res.users] addons/base/models/res_users.py
@context_get() read
    Answer the user's own language and time zone.
has_group(group_ext_id) read
    Tell whether the user is in a group, by its external id.
has_groups(group_spec) read
    Tell whether the user fits a list of groups, ! meaning not in.
@change_password(old_passwd, new_passwd) write
    Change one's own password; the old one proves who it is.

[res.users] addons/auth_signup/models/res_users.py
action_reset_password() write mail
    Send users a link to set a new password.

[res.partner] addons/base/models/res_partner.py
address_get(adr_pref=) read
    Answer the contact's address of each kind, such as invoice.
@find_or_create(email, assert_valid_email=) create
    Answer the contact with an e-mail address; creates it if needed.
create_company() create
    Make a company of the company name, and the contact's parent.

[portal.wizard.user] addons/portal/wizard/portal_wizard.py
action_grant_access() call mail
    Let a contact into the portal, and send the invitation.
action_revoke_access() call
    Take a contact's access to the portal away.
action_invite_again() call mail
    Send the invitation to the portal again.

[base.partner.merge.automatic.wizard] addons/base/wizard/base_partner_merge.py
action_merge() unlink
    Merge contacts into one; the others are gone for good.

[res.lang] addons/base/models/res_lang.py
@get_installed() read
    Answer the active languages with their codes.

[ir.model] addons/web/models/ir_model.py
@get_available_models() read
    Answer the models that the user can read, with labels.

[ir.model.fields] addons/base/models/ir_model.py
@get_field_string(model_name) read
    Answer the labels of a model's fields.
@get_field_selection(model_name, field_name) read
    Answer the choices of a field with their labels.

[ir.model.data] addons/base/models/ir_model.py
@check_object_reference(module, xml_id, raise_on_access_error=) read
    Answer model and id of an external id that the user may read.

[ir.sequence] addons/base/models/ir_sequence.py
@next_by_code(sequence_code, sequence_date=) write
    Draw the next number of the sequence with a code.
next_by_id(sequence_date=) write
    Draw the next number of a sequence.

[ir.cron] addons/base/models/ir_cron.py
method_direct_trigger() call
    Run a scheduled action now.

[ir.actions.server] addons/base/models/ir_actions.py
run() call
    Run a server action on the records that the context names.

[ir.actions.report] addons/base/models/ir_actions_report.py
@get_wkhtmltopdf_state() read
    Tell whether the server can make PDF files.

[ir.attachment] addons/base/models/ir_attachment.py
generate_access_token() write
    Give files a token that opens them without a login.

[ir.config_parameter] addons/base/models/ir_config_parameter.py
@get_param(key, default=) read
    Answer a system parameter, for administrators.
@set_param(key, value) write
    Set a system parameter, or delete it with false.

[ir.default] addons/base/models/ir_default.py
@set(model_name, field_name, value, user_id=, company_id=, condition=) write
    Set the default of a field, for a user, a company or everybody.

[ir.module.module] addons/base/models/ir_module.py
button_immediate_install() call
    Install apps at once; everybody waits meanwhile.
button_immediate_upgrade() call
    Upgrade apps at once; everybody waits meanwhile.
button_immediate_uninstall() unlink
    Uninstall apps at once; their data are gone.
@update_list() call
    Look for apps that are new on the server's disk.

[crm.lead] addons/crm/models/crm_lead.py
action_set_won() write
    Mark leads as won: the won stage, and certain.
action_set_lost(**) write
    Mark leads as lost: archived, with values such as the reason.
action_set_automated_probability() write
    Take the computed probability again.
convert_opportunity(partner, user_ids=, team_id=) write
    Make opportunities of leads; over a wire partner must be false.
merge_opportunity(user_id=, team_id=, auto_unlink=) unlink
    Merge leads into one; the others are deleted.

[crm.lead.lost] addons/crm/wizard/crm_lead_lost.py
action_lost_reason_apply() write
    Mark the wizard's leads as lost, with reason and remark.

[crm.lead2opportunity.partner] addons/crm/wizard/crm_lead_to_opportunity.py
action_apply() write
    Make an opportunity of the lead, or merge it into others.

[crm.team] addons/crm/models/crm_team.py
action_assign_leads() write
    Give the waiting leads to the teams' members.

[sale.order] addons/sale/models/sale_order.py
action_confirm() write mail
    Confirm quotations; apps add to it, such as deliveries.
action_quotation_send() call
    Answer the window that sends the quotation; sends nothing itself.
action_quotation_sent() write
    Mark quotations as sent without sending them.
action_cancel() write
    Cancel orders; one that is confirmed or sent answers a window first.
action_draft() write
    Make quotations of cancelled or sent orders again.
action_lock() write
    Lock orders against changes.
action_unlock() write
    Unlock orders.
action_update_prices() write
    Compute an order's prices from its pricelist again.
action_update_taxes() write
    Compute an order's taxes again.
action_preview_sale_order() call
    Answer the address of the order in the portal.
payment_action_capture() write payment
    Collect the authorised payments of an order.
payment_action_void() write payment
    Give up the authorised payments of an order.

[sale.advance.payment.inv] addons/sale/wizard/sale_make_invoice_advance.py
create_invoices() create
    Create draft invoices for the wizard's sales orders.

[purchase.order] addons/purchase/models/purchase_order.py
button_confirm() write
    Confirm requests for quotation, or ask for approval.
button_approve(force=) write
    Approve orders; makes the receipts.
button_cancel() write
    Cancel orders that nothing was received or billed for.
button_draft() write
    Make requests for quotation of cancelled orders again.
button_done() write
    Lock orders against changes.
button_unlock() write
    Unlock orders.
action_rfq_send() call
    Answer the window that sends the request; sends nothing itself.
print_quotation() write
    Mark requests as sent, and answer the report to print.
action_create_invoice() create
    Create draft vendor bills for what is to be billed.
action_merge() write
    Merge requests to the same vendor; the others are cancelled.
confirm_reminder_mail(confirmed_date=) write
    Note that the vendor has confirmed the date of receipt.

[stock.picking] addons/stock/models/stock_picking.py
action_confirm() write
    Mark transfers as to do.
action_assign() write
    Check availability and reserve the products.
do_unreserve() write
    Give reserved products free.
button_validate() write mail,sms
    Carry transfers out, or answer a window, such as for backorders.
action_cancel() write
    Cancel transfers and their moves.
action_toggle_is_locked() write
    Lock or unlock a transfer's quantities.
action_put_in_pack(move_lines_to_pack=) write
    Put a transfer's products into a package.
action_split_transfer() create
    Move what is not done yet into a transfer of its own.

[stock.backorder.confirmation] addons/stock/wizard/stock_backorder_confirmation.py
process() write mail,sms
    Carry the transfers out, with a backorder for the rest.
process_cancel_backorder() write mail,sms
    Carry the transfers out; the rest is not delivered.

[stock.quant] addons/stock/models/stock_quant.py
action_apply_inventory() write
    Make the counted quantities the true ones.
action_set_inventory_quantity() write
    Take the quantity at hand as the counted one.
action_set_inventory_quantity_zero() write
    Take zero as the counted quantity.
action_clear_inventory_quantity() write
    Forget the counted quantities.

[stock.scrap] addons/stock/models/stock_scrap.py
action_validate() write
    Scrap, or answer a window if there is not enough.
do_scrap() write
    Scrap without a look at what is there.

[stock.lot] addons/stock/models/stock_lot.py
@generate_lot_names(first_lot, count) read
    Answer names for lots, counted up from the first.

[stock.warehouse.orderpoint] addons/stock/models/stock_orderpoint.py
action_replenish(force_to_max=) create
    Order what the rules find to be missing.

[account.move] addons/account/models/account_move.py
action_post() write edi
    Post invoices or entries; may answer a window of warnings.
button_draft() write
    Make posted or cancelled entries drafts again.
button_cancel() write
    Cancel entries.
button_request_cancel() call edi
    Ask the tax authority to cancel an invoice that it has.
action_register_payment() call
    Answer the window that registers a payment; pays nothing itself.
action_reverse() call
    Answer the window that makes a credit note.
action_send_and_print() call
    Answer the window that sends invoices; sends nothing itself.
action_switch_move_type() write
    Make an invoice a credit note, or the other way round.
button_set_checked() write
    Mark entries as checked.
action_toggle_block_payment() write
    Block an invoice for payment, or free it.
js_assign_outstanding_line(line_id) write
    Pay an invoice with a payment or credit that is open.
js_remove_outstanding_partial(partial_id) write
    Take a payment off an invoice again.
@get_invoice_types(include_receipts=) read
    Answer the types of entries that are invoices.
preview_invoice() call
    Answer the address of the invoice in the portal.

[account.move] addons/account_payment/models/account_move.py
payment_action_capture() write payment
    Collect the authorised payments of an invoice.
payment_action_void() write payment
    Give up the authorised payments of an invoice.

[account.move.line] addons/account/models/account_move_line.py
reconcile() write
    Match lines that pay each other.
remove_move_reconcile() write
    Undo the matching of lines.

[account.move.reversal] addons/account/wizard/account_move_reversal.py
refund_moves() create
    Create credit notes for the wizard's entries.
modify_moves() create
    Create credit notes and new drafts for the wizard's entries.

[account.move.send.wizard] addons/account/wizard/account_move_send_wizard.py
action_send_and_print(allow_fallback_pdf=) call mail,edi
    Make the invoice's files and send them.

[account.payment.register] addons/account/wizard/account_payment_register.py
action_create_payments() create payment
    Create, post and match the wizard's payments.

[account.payment] addons/account/models/account_payment.py
action_post() write payment
    Post payments; a saved card is charged.
action_validate() write
    Mark payments as paid.
action_draft() write
    Make payments drafts again.
action_cancel() write
    Cancel payments and their entries.
action_reject() write
    Mark payments as rejected.
mark_as_sent() write
    Mark payments as sent.

[account.bank.statement.line] addons/account/models/account_bank_statement_line.py
action_undo_reconciliation() write
    Undo what a line of a statement was matched with.

[account.journal] addons/account/models/account_journal.py
create_document_from_attachment(attachment_ids) create
    Create invoices from uploaded files.

[payment.transaction] addons/payment/models/payment_transaction.py
action_capture() write payment
    Collect authorised payments.
action_void() write payment
    Give up authorised payments.
action_refund(amount_to_refund=) write payment
    Pay money back.

[product.template] addons/product/models/product_template.py
get_single_product_variant() read
    Answer the only variant, if there is but one.
get_contextual_price(product=) read
    Answer the price by the pricelist that the context names.

[product.product] addons/product/models/product_product.py
get_contextual_price() read
    Answer the price by the pricelist that the context names.
get_product_multiline_description_sale() read
    Answer name and sales description, as order lines show it.

[project.project] addons/project/models/project_project.py
toggle_favorite() write
    Make a project one of the user's favourites, or no more.
map_tasks(new_project_id) create
    Copy a project's tasks into another project.

[project.milestone] addons/project/models/project_milestone.py
toggle_is_reached(is_reached) write
    Mark a milestone as reached, or as not.

[project.task] addons/project/models/project_task.py
action_unlink_recurrence() unlink
    End the recurrence of tasks; the tasks stay.

[hr.employee] addons/hr/models/hr_employee.py
generate_random_barcode() write
    Give employees a new badge number.
toggle_active() write
    Archive employees, or show them again; one may answer a window.

[hr.departure.wizard] addons/hr/wizard/hr_departure_wizard.py
action_register_departure() write
    Note why and when an employee leaves.
"""
"""The catalogue as text: a model and its file, then each method with what it takes,
what it does to records and what it may reach, and below it the sentence. ``@`` stands
before methods of the model itself, ``=`` behind what need not be given, ``*`` before
what goes by name only, ``**`` for further names."""

_PLACE = re.compile(r"\[(?P<model>[\w.]+)\] (?P<file>[\w/.]+\.py)")
_METHOD = re.compile(
    r"(?P<on_model>@?)(?P<name>\w+)\((?P<parameters>[^)]*)\)\s+"
    r"(?P<operation>[a-z]+)(?:\s+(?P<outside>[a-z,]+))?"
)


def _read(table: str) -> Iterator[MethodInfo]:
    model = file = ""
    lines = iter(table.strip().splitlines())
    for line in filter(None, lines):
        if (place := _PLACE.fullmatch(line)) is not None:
            model, file = place["model"], place["file"]
            continue
        if (method := _METHOD.fullmatch(line)) is None:
            raise ValueError(f"the catalogue has a line that is no method: {line!r}")
        outside = method["outside"]
        yield MethodInfo(
            model=model,
            name=method["name"],
            parameters=tuple(_parameters(method["parameters"])),
            on_records=not method["on_model"],
            summary=next(lines).strip(),
            operation=Operation(method["operation"]),
            outside=tuple(outside.split(",")) if outside else (),
            module=_module(file),
            file=file,
        )


def _parameters(text: str) -> Iterator[Parameter]:
    kind: Kind = "usual"
    for item in filter(None, re.split(r",\s*", text)):
        if item == "*":
            kind = "keyword"
        elif item == "**":
            yield Parameter("kwargs", required=False, kind="keywords")
        else:
            yield Parameter(item.rstrip("="), not item.endswith("="), kind)


def _module(file: str) -> str:
    """Answer the app that a file belongs to; a mixin's source is its app's."""
    _, found, rest = file.rpartition("addons/")
    return rest.split("/", 1)[0] if found else "core"


def _by_model(methods: Iterable[MethodInfo]) -> dict[str, tuple[MethodInfo, ...]]:
    found: dict[str, list[MethodInfo]] = {}
    for method in methods:
        found.setdefault(method.model, []).append(method)
    return {model: tuple(own) for model, own in found.items()}


CATALOGUE: Mapping[str, tuple[MethodInfo, ...]] = MappingProxyType(
    _by_model(_read(_TABLE))
)
"""The methods that are known, by the model that declares them."""
