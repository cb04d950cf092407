"""Writing to a client and to those of its contacts who want that kind of mail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing_portal.clients.models import Client
from billing_portal.clients.queries import mail_recipients
from billing_portal.mail import actions as mail
from billing_portal.mail.defaults import DEFAULT_TEMPLATES
from billing_portal.mail.models import ClientMail


def notify(
    client: Client, template: str, *, key: str, context: Mapping[str, Any], at: datetime
) -> ClientMail:
    """Queue the mail `template` about `key`, once, with the client's name in its context."""
    to, *copies = mail_recipients(client, DEFAULT_TEMPLATES[template].category)
    return mail.send(
        template,
        to=to,
        copies=copies,
        key=key,
        context={"client": str(client), **context},
        at=at,
        client_id=client.pk,
    )
