"""Sending mail: a row in the transaction that wants it, delivered after the commit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template import Context, Template
from post_office.models import PRIORITY, STATUS, Email, EmailTemplate

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
    often it is asked for.  `context` must hold no secrets; `path` in it becomes the
    absolute link `url`.
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
        email = _written(_template(template), values)
        email.to, email.cc = [to], list(copies)
        email.save()
        sent = ClientMail.objects.create(
            email=email, key=full_key, template=template, client_ref=client_id, at=at
        )
        # Robust: with the broker down the mail waits for the next minute's delivery.
        transaction.on_commit(send_queued_mail.delay, robust=True)
    return sent


def ensure_templates() -> list[str]:
    """Add the default templates that are missing, and return their names; keep edited ones."""
    missing = [name for name in DEFAULT_TEMPLATES if _stored(name) is None]
    for name in missing:
        _template(name)
    return missing


def _written(template: EmailTemplate, values: Mapping[str, Any]) -> Email:
    """A queued mail without recipients.

    Written here and not by post_office, which escapes the text and the subject as if
    they were HTML.
    """
    plain, html = Context(values, autoescape=False), Context(values)
    return Email(
        from_email=settings.DEFAULT_FROM_EMAIL,
        # A line break in a subject could add headers; mail servers refuse it.
        subject=" ".join(_compiled(template.subject).render(plain).split()),
        message=_compiled(template.content).render(plain),
        html_message=_compiled(template.html_content).render(html),
        priority=PRIORITY.medium,
        status=STATUS.queued,
    )


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    return Template(text)


def _template(name: str) -> EmailTemplate:
    """The stored template, made from the default if staff have none of this name."""
    if stored := _stored(name):
        return stored
    default = DEFAULT_TEMPLATES[name]
    return EmailTemplate.objects.create(
        name=name,
        description=default.description,
        subject=default.subject,
        content=default.text,
        html_content=default.html,
    )


def _stored(name: str) -> EmailTemplate | None:
    # The oldest, because two workers may both have made the first one.
    return EmailTemplate.objects.filter(name=name, language="").order_by("pk").first()
