"""An issued document never changes: whoever tries is refused, with a sentence.

Rows of a guarded model name the columns that may still change.  PostgreSQL refuses the same
by a trigger, for what goes past the models.
"""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from billing_portal.errors import PortalError


class IssuedNeverChanges(PortalError):
    """Somebody tried to change or delete a document that was issued."""


class GuardedQuerySet(models.QuerySet[Any]):
    """Rows in bulk: refuses to change a fixed column of a fixed row, and to delete a kept row."""

    def update(self, **values: Any) -> int:
        refused = sorted(values.keys() - self.model.may_change)
        if refused and (found := self.filter(self.model.fixed).order_by().first()):
            raise _refusal(found, refused)
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        if found := self.filter(self.model.kept).order_by().first():
            raise IssuedNeverChanges(f"{found} was issued and is never deleted.")
        return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]


class Guarded(models.Model):
    """A row of a document.  `fixed` says which rows keep all columns but `may_change`."""

    may_change: ClassVar[frozenset[str]]
    fixed: ClassVar[Q]
    kept: ClassVar[Q]
    """Which rows are never deleted."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        columns = None if update_fields is None else set(update_fields)
        if not self._state.adding:
            self._refuse_changes(columns)
        super().save(*args, update_fields=columns, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        if self._stored(self.kept):
            raise IssuedNeverChanges(f"{self} was issued and is never deleted.")
        return super().delete(*args, **options)

    def _refuse_changes(self, columns: Collection[str] | None) -> None:
        fields = [f for f in self._meta.concrete_fields if f.name not in self.may_change]
        asked = [f.attname for f in fields if columns is None or f.name in columns]
        if not asked or not (stored := self._stored(self.fixed)):
            return
        if changed := [key for key in asked if getattr(stored, key) != getattr(self, key)]:
            raise _refusal(stored, changed)

    def _stored(self, condition: Q) -> Self | None:
        """The row as it stands, if the condition holds for it."""
        return type(self)._base_manager.filter(condition, pk=self.pk).first()


def _refusal(row: models.Model, columns: Collection[str]) -> IssuedNeverChanges:
    names = ", ".join(column.removesuffix("_id").replace("_", " ") for column in columns)
    return IssuedNeverChanges(
        f"{row} was issued, so its {names} cannot change. Write a credit note, or cancel it and"
        " issue a new one."
    )
