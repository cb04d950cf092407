"""Writing thousands of new rows at once.

PostgreSQL takes them by COPY, several times faster than by INSERT; every other database by
Django's `bulk_create`.  Rows are plain: no signals, no defaults of the database.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import JSONField, Model
from django.db.models.fields import Field

WORTH_COPYING = 50
"""Fewer rows are inserted: their keys would cost a statement of their own."""

Row = TypeVar("Row", bound=Model)


def insert_all(rows: Sequence[Row]) -> list[Row]:
    """Insert new rows of one model, in the caller's transaction; they come back with keys.

    Keys rise in the order given.  Raises IntegrityError as an INSERT would.
    """
    if not rows:
        return []
    model = type(rows[0])
    if connection.vendor != "postgresql" or len(rows) < WORTH_COPYING:
        return model._base_manager.bulk_create(rows)
    for row, key in zip(rows, _new_keys(model, len(rows)), strict=True):
        row.pk = key
    fields = model._meta.concrete_fields
    read = attrgetter(*(field.attname for field in fields))
    _copy(model, fields, map(read, rows))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
    return list(rows)


def insert_values(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows given as values by column name (`client_id`, not `client`).

    Columns not named get the model's default.  For rows nobody needs back: it makes no
    objects, which is half the work.
    """
    if connection.vendor != "postgresql" or len(rows) < WORTH_COPYING:
        model._base_manager.bulk_create(model(**row) for row in rows)
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    defaults = {field.attname: field.get_default() for field in fields}
    read = itemgetter(*defaults)
    _copy(model, fields, (read({**defaults, **row}) for row in rows))


def _new_keys(model: type[Model], count: int) -> list[int]:
    table, column = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [connection.ops.quote_name(table), column, count],
        )
        return sorted(key for (key,) in cursor.fetchall())


def _copy(
    model: type[Model], fields: Sequence["Field[Any, Any]"], rows: Iterable[Sequence[Any]]
) -> None:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    prepared = [(place, one) for place, field in enumerate(fields) if (one := _prepare(field))]
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            values = list(row)
            for place, prepare in prepared:
                values[place] = prepare(values[place])
            copy.write_row(values)


def _prepare(field: "Field[Any, Any]") -> Callable[[Any], Any] | None:
    """What must be done to a value before it is copied; None if nothing.

    Numbers, texts and moments are written by the driver; everything else as Django would.
    """
    if isinstance(field, JSONField):
        encoder = field.encoder or DjangoJSONEncoder
        return lambda value: None if value is None else json.dumps(value, cls=encoder)
    if field.get_internal_type() in _PLAIN:
        return None
    return lambda value: field.get_db_prep_save(value, connection)


_PLAIN = {
    *("AutoField", "BigAutoField", "BigIntegerField", "IntegerField", "SmallIntegerField"),
    *("PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"),
    *("BooleanField", "CharField", "DateField", "DateTimeField", "DecimalField", "ForeignKey"),
    *("OneToOneField", "TextField"),
}
