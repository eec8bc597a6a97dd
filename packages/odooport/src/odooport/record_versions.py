"""Versions of records: what a caller has read, so that it can be told from what is now.

Odoo has no write that looks first. ``write_date`` is read in whole seconds, and some
changes do not move it, such as a many2many that is changed from its other side. So a
version holds a hash of ``write_date`` and of the values themselves.

A version is a text that callers pass on as it is. It says how it was read, so that the
same can be read once more: which fields, in which language and companies, and whether
with archived records. What the caller cannot see is not part of it.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from odooport.errors import InvalidRequest
from odooport.model import Context, Record
from odooport.scalars import INT4_MAX, is_sequence
from odooport.schema import TO_MANY, ModelSchema

ANY_VERSION = "*"
"""Stands for every version of a record that is there."""

MOVED_ON = "write_date"
"""The field that tells of most changes."""

_FORM = "1"
"""The first part of each version; another one when the rest is made differently."""

_LONGEST = 20_000
_HASH_BYTES = 12
_DIGEST_LENGTH = 2
_TEXT = re.compile(
    rf"{_FORM}\.(?P<how>[A-Za-z0-9_-]+)\.(?P<hash>[A-Za-z0-9_-]{{16}})"
    r"\.(?P<digests>[A-Za-z0-9_-]*)(\.[A-Za-z0-9_-]+)?",
    re.ASCII,
)
"""The last part belongs to whoever shows the version; it says nothing here."""

_CONTENT = frozenset({"binary", "image"})
"""Types whose values are too large to be read for a comparison."""

_TALK = frozenset({"mail.message", "mail.followers", "mail.activity", "rating.rating"})
"""Models whose records are about another record; a new note does not change it."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A record, and its version.

    Attributes:
        record: The record, as ``read`` answers it.
        version: Its version, to be sent along with a write.
    """

    record: Record
    version: str


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """What a caller has read of a record.

    Attributes:
        fields: The fields that it speaks of; None for those that ``read`` answers
            unless told.
        lang: The language that they were read in.
        companies: The companies that they were read in.
        active_test: Whether archived records were left out; None if nobody said.
        whole: A hash of ``write_date`` and all the values.
        digests: A few bits of each value, in the order of the fields' names.
        names: The fields that count, where that is known: not after ``parse``.
    """

    fields: tuple[str, ...] | None
    lang: str | None
    companies: tuple[int, ...]
    active_test: bool | None
    whole: str
    digests: str
    names: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        schema: ModelSchema,
        row: Mapping[str, Any],
        *,
        fields: Sequence[str] | None,
        context: Context,
    ) -> Self:
        """Answer the version of a record.

        Args:
            schema: The model, as the caller sees it.
            row: What Odoo answered: the id, the fields, and ``write_date`` if there
                is one.
            fields: The fields that were asked for; None for those of ``read``.
            context: The context that they were read in.
        """
        names = counted(schema, fields)
        values = [_plain(schema, name, row.get(name)) for name in names]
        moment = row.get(MOVED_ON) if MOVED_ON not in schema.masked else None
        told = [schema.model, row["id"], moment, list(zip(names, values, strict=True))]
        return cls(
            fields=None if fields is None else tuple(fields),
            lang=context.lang,
            companies=context.companies,
            active_test=context.active_test,
            whole=_base64(_hash(told)[:_HASH_BYTES]),
            digests="".join(_base64(_hash(it))[:_DIGEST_LENGTH] for it in values),
            names=tuple(names),
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version.

        Raises:
            InvalidRequest: It is none of ours.
        """
        match = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
        try:
            if match is None:
                raise ValueError("not of this form")
            how = match["how"]
            read = base64.b64decode(
                how + "=" * (-len(how) % 4), altchars=b"-_", validate=True
            )
            match json.loads(read):
                case [fields, lang, companies, active_test] if (
                    (fields is None or _all_of(fields, str))
                    and (lang is None or isinstance(lang, str))
                    and _all_of(companies, int)
                    and all(0 < item <= INT4_MAX for item in companies)
                    and (active_test is None or isinstance(active_test, bool))
                ):
                    return cls(
                        fields=None if fields is None else tuple(fields),
                        lang=lang,
                        companies=tuple(companies),
                        active_test=active_test,
                        whole=match["hash"],
                        digests=match["digests"],
                    )
                case _:
                    raise ValueError("not of this shape")
        except (ValueError, RecursionError, binascii.Error) as exc:
            raise InvalidRequest(
                f"{text[:80]!r} is no version of a record: send the one that came with "
                "the record, as it is, without quotes."
            ) from exc

    @property
    def text(self) -> str:
        """The version as it goes out.

        It fits an entity tag (RFC 9110, 8.8.3), and holds neither quotes nor commas.
        """
        fields = None if self.fields is None else list(self.fields)
        how = [fields, self.lang, list(self.companies), self.active_test]
        read = json.dumps(how, separators=(",", ":")).encode()
        return f"{_FORM}.{_base64(read)}.{self.whole}.{self.digests}"

    @property
    def way(self) -> tuple[Any, ...]:
        """How it was read; versions with the same way can be read together."""
        return (self.fields, self.lang, self.companies, self.active_test)

    def changed(self, now: Self) -> list[str]:
        """Answer the fields whose values are others now.

        None need be: somebody may have written a field that was not read, or the same
        values again. And a value that went to and fro within a second is the same.

        Args:
            now: The version of the record now, read in the same way.
        """
        if len(self.digests) != len(now.digests):
            return []  # the model itself has other fields now
        size = _DIGEST_LENGTH
        return [
            name
            for index, name in enumerate(now.names)
            if self.digests[index * size : (index + 1) * size]
            != now.digests[index * size : (index + 1) * size]
        ]


def counted(schema: ModelSchema, fields: Sequence[str] | None) -> list[str]:
    """Answer the names of the fields that count in a version, sorted.

    Args:
        schema: The model, as the caller sees it.
        fields: The fields that were asked for. None for those of ``read``; of these,
            only stored ones count, without what is merely said about the record.
    """
    chosen = (
        [
            name
            for name in schema.readable
            if schema.fields[name].stored and schema.fields[name].relation not in _TALK
        ]
        if fields is None
        else fields
    )
    return sorted(
        name
        for name in set(chosen) - {"id", MOVED_ON}
        if name not in schema.masked and schema.fields[name].type not in _CONTENT
    )


def _plain(schema: ModelSchema, name: str, value: Any) -> Any:
    """Answer what counts of a value: of a relation, which records it leads to."""
    kind = schema.fields[name].type
    if kind == "many2one" and is_sequence(value) and value:
        return value[0]
    if kind in TO_MANY and is_sequence(value):
        return sorted(value, key=repr)
    return value


def _hash(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).digest()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _all_of(items: Any, kind: type) -> bool:
    return is_sequence(items) and all(type(item) is kind for item in items)
