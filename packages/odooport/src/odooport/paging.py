"""Pages: how the next one is found, and the cursor that tells where it begins."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from odooport.domain import Domain
from odooport.errors import InvalidRequest
from odooport.model import Record
from odooport.scalars import INT4_MAX
from odooport.schema import Field, ModelSchema

_KEYSET_TYPES = frozenset({"integer", "char", "date"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after a record, or after so many records.

    Attributes:
        after_id: The id of the last record of the page before; None at the start.
        value: What that record has in the column that the pages are ordered by.
        offset: How many records to skip, where pages are found by counting.
    """

    after_id: int | None = None
    value: Any = None
    offset: int = 0

    def encode(self, digest: str) -> str:
        """Answer the cursor, bound to what the digest stands for."""
        text = json.dumps([digest, self.after_id, self.value, self.offset])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str, digest: str) -> "Place":
        """Read a cursor.

        Raises:
            InvalidRequest: It is none, or belongs to another search.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            fields = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            bound, after_id, value, offset = fields
        except (ValueError, TypeError, binascii.Error) as exc:
            raise InvalidRequest(
                "This is no cursor: send the last answer's cursor as it is."
            ) from exc
        if (
            bound != digest
            or not (after_id is None or type(after_id) is int)
            or not (value is None or isinstance(value, str | int))
            or type(offset) is not int
            or not 0 <= offset <= INT4_MAX
        ):
            raise InvalidRequest(
                "This cursor belongs to another search: keep domain, q, order, "
                "company, language and key the same from page to page."
            )
        return cls(after_id, value, offset)


@dataclass(frozen=True, slots=True)
class Paging:
    """How the pages of a search follow each other.

    After a record by id, or by one column that has a value on every record and then by
    id: safe while others write. Otherwise by offset. Never by a datetime, which Odoo
    shows in whole seconds and keeps in microseconds.

    Attributes:
        order: The whole order, with the id last, as Odoo takes it.
        column: The column that it begins with.
        descending: Whether that column descends.
        keyset: Whether the next page is found by that column's values.
    """

    order: str
    column: str
    descending: bool
    keyset: bool

    @classmethod
    def of(cls, schema: ModelSchema, order: str | None) -> "Paging":
        """Answer how to page in an order; by id if there is none.

        Raises:
            InvalidRequest: The order is none that Odoo takes.
        """
        if order is None:
            return cls("id", "id", descending=False, keyset=True)
        terms = schema.order(order)
        column, descending = terms[0]
        last_is_id = terms[-1][0].name == "id"
        if last_is_id and (column.name == "id" or len(terms) == 2):
            plain = all(term[1] == descending for term in terms)
        else:
            plain = len(terms) == 1
        keyset = plain and "nulls" not in order.lower() and _fit_for_keyset(column)
        if not last_is_id:
            order += ", id desc" if descending and len(terms) == 1 else ", id"
        return cls(order, column.name, descending, keyset)

    def after(self, domain: Domain, place: Place) -> Domain:
        """Narrow a search to what lies beyond a place."""
        if place.after_id is None:
            return domain
        further = "<" if self.descending else ">"
        beyond = Domain.parse([["id", further, place.after_id]])
        if self.column != "id":
            beyond = Domain.parse([[self.column, further, place.value]]) | (
                Domain.parse([[self.column, "=", place.value]]) & beyond
            )
        return domain & beyond

    def place(self, rows: Sequence[Record], before: Place) -> Place:
        """Answer where the next page begins, from the rows as Odoo sent them."""
        if self.keyset:
            return Place(rows[-1]["id"], rows[-1][self.column])
        return Place(offset=before.offset + len(rows))


def _fit_for_keyset(field: Field) -> bool:
    return field.name == "id" or (
        field.type in _KEYSET_TYPES
        and field.required
        and field.stored
        and field.sortable
        and not field.translated
        and not field.company_dependent
    )
