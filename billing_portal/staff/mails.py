"""A sent mail and an exchange with a vendor, as they were."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from billing_portal.clients.models import Client
from billing_portal.mail.models import ClientMail
from billing_portal.staff.page import Crumb, show, staff_page
from provisioning.models import ModuleLog

BODY_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A mail may show itself, but runs nothing, sends nothing and loads nothing."""


@staff_page("mail.view_clientmail")
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    """To whom, when, whether it went out, and the text."""
    sent = get_object_or_404(ClientMail.objects.select_related("email"), pk=pk)
    context = {
        "mail": sent,
        "email": sent.email,
        "client": Client.objects.filter(pk=sent.client_ref or 0).first(),
        "log": sent.email.logs.order_by("-date", "-pk")[:20],
    }
    crumbs = (Crumb("Sent mail", reverse("admin:mail_clientmail_changelist")),)
    title = sent.email.subject or sent.template
    return show(request, "staff/mail.html", title=title, crumbs=crumbs, context=context)


@staff_page("mail.view_clientmail")
def body(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail's own web page, locked in: for the frame on the mail's page."""
    sent = get_object_or_404(ClientMail.objects.select_related("email"), pk=pk)
    if not sent.email.html_message:
        raise Http404
    response = HttpResponse(sent.email.html_message)
    response.headers["Content-Security-Policy"] = f"{BODY_POLICY}; frame-ancestors 'self'"
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@staff_page("provisioning.view_modulelog")
def exchange(request: HttpRequest, pk: int) -> HttpResponse:
    """One request to a vendor and its answer, secrets masked."""
    entries = ModuleLog.objects.select_related("server", "service__product", "job")
    entry = get_object_or_404(entries, pk=pk)
    crumbs = (Crumb("Module log", reverse("admin:provisioning_modulelog_changelist")),)
    context = {"entry": entry}
    return show(request, "staff/exchange.html", title=entry.action, crumbs=crumbs, context=context)
