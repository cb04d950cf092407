"""Sending mail: a row in the transaction that wants it, delivered after the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: to whom, what about, and the values its template prints.

    `context` must hold no secrets; `path` in it becomes the absolute link `url`.
    """

    to: str
    key: str
    context: Mapping[str, Any]
    copies: Sequence[str] = ()
    client_id: int | None = None


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
    often it is asked for.
    """
    (sent,) = send_all(template, [Letter(to, key, context, copies, client_id)], at=at)
    return sent


def send_all(template: str, letters: Sequence[Letter], *, at: datetime) -> list[ClientMail]:
    """Queue a mail for each letter, as `send` does, in a few statements for all of them."""
    by_key = {f"{template}:{letter.key}": letter for letter in letters}
    sent = {mail.key: mail for mail in ClientMail.objects.filter(key__in=by_key)}
    fresh = {key: letter for key, letter in by_key.items() if key not in sent}
    if fresh:
        with transaction.atomic():
            stored = _template(template)
            emails = Email.objects.bulk_create(_written(stored, one) for one in fresh.values())
            mails = ClientMail.objects.bulk_create(
                ClientMail(
                    email=email, key=key, template=template, client_ref=letter.client_id, at=at
                )
                for email, (key, letter) in zip(emails, fresh.items(), strict=True)
            )
            # Robust: with the broker down the mails wait for the next minute's delivery.
            transaction.on_commit(send_queued_mail.delay, robust=True)
        sent |= {mail.key: mail for mail in mails}
    return [sent[key] for key in by_key]


def ensure_templates() -> list[str]:
    """Add the default templates that are missing, and return their names; keep edited ones."""
    missing = [name for name in DEFAULT_TEMPLATES if _stored(name) is None]
    for name in missing:
        _template(name)
    return missing


def _written(template: EmailTemplate, letter: Letter) -> Email:
    """A queued mail.

    Written here and not by post_office, which escapes the text and the subject as if
    they were HTML.
    """
    values = {
        **letter.context,
        "seller": settings.SELLER_NAME,
        "seller_email": settings.SELLER_EMAIL,
        "url": settings.PORTAL_URL + str(letter.context.get("path", "/")),
    }
    plain, html = Context(values, autoescape=False), Context(values)
    return Email(
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[letter.to],
        cc=list(letter.copies),
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
