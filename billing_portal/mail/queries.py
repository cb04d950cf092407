"""Reading the mail log."""

from django.db.models import QuerySet

from billing_portal.mail.models import ClientMail


def mails_of(client_id: int) -> QuerySet[ClientMail]:
    """Everything mailed to a client, newest first."""
    return ClientMail.objects.filter(client_ref=client_id).select_related("email__template")
