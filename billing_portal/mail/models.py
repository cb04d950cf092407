"""The log of what was mailed to whom.  Templates are django-post-office rows, editable by staff."""

from typing import ClassVar

from django.db import models
from post_office.models import Email


class ClientMail(models.Model):
    """One mail to one client, with the sending state in `email`.

    `key` makes it once: asking again for the same mail returns the same row.
    """

    email = models.OneToOneField(Email, on_delete=models.CASCADE, related_name="client_mail")
    key = models.CharField(max_length=120, unique=True, help_text="template:object, sent once")
    template = models.CharField(max_length=60)
    client_ref = models.BigIntegerField(null=True, blank=True, db_index=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "mail"
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.template} to {', '.join(self.email.to)}"
