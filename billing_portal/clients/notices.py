"""Writing to a client and to those of its contacts who want that kind of mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_portal.clients.models import Client
from billing_portal.clients.queries import mail_copies
from billing_portal.mail import actions as mail
from billing_portal.mail.actions import Letter
from billing_portal.mail.defaults import DEFAULT_TEMPLATES
from billing_portal.mail.models import ClientMail


@dataclass(frozen=True, slots=True)
class Notice:
    """What to write to one client, and what about."""

    client: Client
    key: str
    context: Mapping[str, Any]


def notify(
    client: Client, template: str, *, key: str, context: Mapping[str, Any], at: datetime
) -> ClientMail:
    """Queue the mail `template` about `key`, once, with the client's name in its context."""
    (sent,) = notify_all(template, [Notice(client, key, context)], at=at)
    return sent


def notify_all(template: str, notices: Sequence[Notice], *, at: datetime) -> list[ClientMail]:
    """Queue the mail `template` for each notice, as `notify` does, in a few statements."""
    category = DEFAULT_TEMPLATES[template].category
    copies = mail_copies([notice.client for notice in notices], category)
    letters = [
        Letter(
            to=notice.client.email,
            key=notice.key,
            context={"client": str(notice.client), **notice.context},
            copies=copies[notice.client.pk],
            client_id=notice.client.pk,
        )
        for notice in notices
    ]
    return mail.send_all(template, letters, at=at)
