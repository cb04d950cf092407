"""Reading history."""

from django.db import models

from billing_portal.audit.models import Entry


def history_of(subject: models.Model) -> models.QuerySet[Entry]:
    """Everything recorded about one object, newest first."""
    return Entry.objects.filter(
        subject_type=subject._meta.label_lower, subject_id=subject.pk
    ).select_related("actor")


def history_of_client(client_id: int) -> models.QuerySet[Entry]:
    """Everything recorded about a client and what belongs to it, newest first."""
    return Entry.objects.filter(client_ref=client_id).select_related("actor")
