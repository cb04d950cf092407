"""Who did what, when.  Rows are only ever added."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """One thing that happened to one object, with who made it happen.

    `client_ref` is the client's primary key without a foreign key: this package lies
    below clients, and history outlives what it is about.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150, help_text="As it was then; 'system' if nobody.")
    action = models.CharField(max_length=60, help_text="noun.verb, such as invoice.issued")
    subject_type = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    client_ref = models.BigIntegerField(null=True, blank=True, db_index=True)
    summary = models.CharField(max_length=300)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["subject_type", "subject_id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_name}: {self.summary}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("audit entries are never edited")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("audit entries are never deleted")
