"""Fields an operator adds to clients and products; their answers are JSON on the row.

An answer is stored under the field's key, as text; a tick box stores true or false.
"""

from typing import ClassVar

from django.db import models


class FieldKind(models.TextChoices):
    TEXT = "text", "Text"
    LINK = "link", "Link"
    CHOICE = "choice", "Choice of several"
    TICK = "tick", "Tick box"
    LONG_TEXT = "long_text", "Long text"


class CustomField(models.Model):
    """One further question.  Concrete fields say whom it is put to."""

    key = models.SlugField(max_length=40, help_text="The stable name; modules and the API read it.")
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=FieldKind.choices, default=FieldKind.TEXT)
    choices = models.TextField(blank=True, help_text="For a choice: one per line.")
    pattern = models.CharField(
        max_length=200, blank=True, help_text="A regular expression the whole answer must match."
    )
    help_text = models.CharField(max_length=200, blank=True)
    required = models.BooleanField(default=False)
    staff_only = models.BooleanField(default=False, help_text="Clients neither see nor answer it.")
    on_invoice = models.BooleanField(default=False, help_text="Printed on invoices.")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True
        ordering: ClassVar = ["position", "pk"]

    def __str__(self) -> str:
        return self.label
