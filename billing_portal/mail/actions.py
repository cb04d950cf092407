"""Sending mail: a row in the transaction that wants it, delivered after the commit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from post_office import mail as post_office
from post_office.models import EmailTemplate

from billing_portal.mail.defaults import DEFAULT_TEMPLATES
from billing_portal.mail.models import ClientMail
from billing_portal.mail.tasks import send_queued_mail


def send(
    template: str,
    *,
    to: str,
    copies: Sequence[str] = (),
    key: str,
    context: Mapping[str, Any],
    at: datetime,
    client_id: int | None = None,
) -> ClientMail:
    """Queue the mail `template` in the caller's transaction.

    `key` names what the mail is about; the same template and key is sent once, however
    often it is asked for.  `context` must be JSON and hold no secrets; `path` in it
    becomes the absolute link `url`.
    """
    full_key = f"{template}:{key}"
    if sent := ClientMail.objects.filter(key=full_key).first():
        return sent
    values = {
        **context,
        "seller": settings.SELLER_NAME,
        "seller_email": settings.SELLER_EMAIL,
        "url": settings.PORTAL_URL + str(context.get("path", "/")),
    }
    with transaction.atomic():
        email = post_office.send(
            to,
            settings.DEFAULT_FROM_EMAIL,
            template=_template(template),
            context=values,
            cc=list(copies),
        )
        sent = ClientMail.objects.create(
            email=email, key=full_key, template=template, client_ref=client_id, at=at
        )
        # Robust: with the broker down the mail waits for the next minute's delivery.
        transaction.on_commit(send_queued_mail.delay, robust=True)
    return sent


def ensure_templates() -> list[str]:
    """Add the default templates that are missing, and return their names; keep edited ones."""
    return [name for name in DEFAULT_TEMPLATES if _ensure(name)[1]]


def _template(name: str) -> EmailTemplate:
    return _ensure(name)[0]


def _ensure(name: str) -> tuple[EmailTemplate, bool]:
    default = DEFAULT_TEMPLATES[name]
    return EmailTemplate.objects.get_or_create(
        name=name,
        language="",
        default_template=None,
        defaults={
            "description": default.description,
            "subject": default.subject,
            "content": default.text,
            "html_content": default.html,
        },
    )
