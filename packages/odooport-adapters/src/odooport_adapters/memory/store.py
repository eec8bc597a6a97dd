"""Rows of records, with an undo log: what PostgreSQL is to Odoo."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

type Row = Mapping[str, Any]
"""The stored values of one record. A row is never changed, only replaced."""


class Table:
    """The rows of one model, and who points where.

    Args:
        many2one: The stored many2one fields to keep an index of, or other columns that
            rows are looked up by.
        many2many: The stored many2many fields to keep an index of.
    """

    def __init__(self, many2one: Sequence[str], many2many: Sequence[str]) -> None:
        self.rows: dict[int, Row] = {}
        self.next_id = 1
        self._many2one = tuple(many2one)
        self._many2many = tuple(many2many)
        self._pointing: dict[str, dict[Any, dict[int, None]]] = {
            name: {} for name in (*many2one, *many2many)
        }

    def pointing_at(self, field: str, target: int | str) -> list[int]:
        """Answer the ids of the rows whose field holds the target."""
        return list(self._pointing[field].get(target, ()))

    def put(self, record_id: int, row: Row | None) -> Row | None:
        """Put a row in place, or take it away; answer what was there before."""
        old = self.rows.get(record_id)
        for field in self._many2one:
            before = old.get(field) if old else None
            after = row.get(field) if row else None
            if before != after:
                self._unpoint(field, before, record_id)
                self._point(field, after, record_id)
        for field in self._many2many:
            many_before: Sequence[int] = (old.get(field) if old else None) or ()
            many_after: Sequence[int] = (row.get(field) if row else None) or ()
            if many_before != many_after:
                for target in many_before:
                    self._unpoint(field, target, record_id)
                for target in many_after:
                    self._point(field, target, record_id)
        if row is None:
            self.rows.pop(record_id, None)
        else:
            self.rows[record_id] = row
        return old

    def _point(self, field: str, target: Any, record_id: int) -> None:
        if target:
            self._pointing[field].setdefault(target, {})[record_id] = None

    def _unpoint(self, field: str, target: Any, record_id: int) -> None:
        if target and (ids := self._pointing[field].get(target)) is not None:
            ids.pop(record_id, None)


class Savepoint:
    """A point in a transaction to which it can go back.

    Args:
        store: The store.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._mark = store.changes

    def undo(self) -> None:
        """Take back what changed since; the transaction goes on."""
        self._store.take_back(self._mark)


class Store:
    """All tables, and the log of what the running transaction changed."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.stamp = 0
        """Grows with every change; what was derived from the rows lives that long."""
        self.orders: dict[tuple[str, str, int, str], tuple[int, list[int]]] = {}
        """The ids of whole tables in the orders that were asked for."""
        self._undo: list[tuple[Table, int, Row | None]] = []

    def put(self, model: str, record_id: int, row: Row | None) -> None:
        """Put a row in place, or take it away, so that it can be undone."""
        table = self.tables[model]
        self.stamp += 1
        self._undo.append((table, record_id, table.put(record_id, row)))

    def take_id(self, model: str) -> int:
        """Answer the next id; as in PostgreSQL, one that was rolled back is lost."""
        table = self.tables[model]
        record_id = table.next_id
        table.next_id += 1
        return record_id

    @property
    def changes(self) -> int:
        """How many changes the running transaction has made."""
        return len(self._undo)

    def take_back(self, mark: int) -> None:
        """Undo the changes after a mark, the newest first."""
        while len(self._undo) > mark:
            table, record_id, row = self._undo.pop()
            table.put(record_id, row)
        self.stamp += 1

    @contextmanager
    def savepoint(self) -> Generator[Savepoint]:
        """If what happens inside fails, only that is undone."""
        savepoint = Savepoint(self)
        try:
            yield savepoint
        except BaseException:  # a cancelled call must leave nothing behind either
            savepoint.undo()
            raise

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All of what happens inside is kept, or nothing of it."""
        self._undo.clear()
        try:
            yield
        except BaseException:  # a cancelled call must leave nothing behind either
            self.take_back(0)
            raise
        finally:
            self._undo.clear()
