"""What a mail carries besides its text, drawn when the mail leaves and not when it is queued.

`MAIL_PAPERS` names, for a template, the function that draws: it gets the key the mail was
queued under and returns the papers.  Mail knows nothing of invoices; settings join the two.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string
from post_office.models import Email

from billing_portal.mail.models import ClientMail

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Paper:
    """One attached file."""

    name: str
    content: bytes
    mime_type: str = "application/pdf"


Draw = Callable[[str], list[Paper]]


def attach_papers(email: Email) -> None:
    """Attach to a mail that is about to leave what its template promises."""
    known = ClientMail.objects.filter(email=email).first()
    if known is None or known.template not in settings.MAIL_PAPERS:
        return
    message = email.email_message()
    for paper in _drawn(known):
        message.attach(paper.name, paper.content, paper.mime_type)


def _drawn(mail: ClientMail) -> list[Paper]:
    draw: Draw = import_string(settings.MAIL_PAPERS[mail.template])
    try:
        return draw(mail.key.removeprefix(f"{mail.template}:"))
    except Exception:
        # The mail says where the paper is; one that cannot be drawn must not hold up the rest.
        logger.exception("mail %s leaves without its papers", mail.pk)
        return []
