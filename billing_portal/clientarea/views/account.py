"""The client's own details, its contacts, team and mails, and which client to act for."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from post_office.models import STATUS, Email

from billing_portal.clientarea.access import (
    ClientRequest,
    act_for,
    for_client,
    for_row,
    to_login,
)
from billing_portal.clientarea.forms import ContactForm, ProfileForm
from billing_portal.clientarea.lights import Light
from billing_portal.clientarea.tax_ids import note_arrival, tax_id_state
from billing_portal.clients import actions as clients
from billing_portal.clients.models import Client, Contact, Permission
from billing_portal.clock.reading import now
from billing_portal.mail import queries as mail
from billing_portal.workflows import tax_ids

PER_PAGE = 25
MAIL_LIGHTS = {
    STATUS.sent: Light("active", "Sent"),
    STATUS.failed: Light("failed", "Not delivered"),
}
ON_ITS_WAY = Light("waiting", "On its way")


@require_http_methods(["GET", "POST"])
@for_client(Permission.PROFILE)
def profile(request: ClientRequest) -> HttpResponse:
    # A row of its own: a refused form must not change what the rest of the page shows.
    client = Client.objects.get(pk=request.acting_client.pk)
    form = ProfileForm(request.POST or None, instance=client)
    if request.method == "POST" and form.is_valid():
        clients.update_profile(
            request.acting_client, profile=form.profile, actor=request.user, at=now()
        )
        tax_ids.look_up(request.acting_client)
        messages.success(request, "Saved. Invoices from now on carry the new details.")
        return redirect("clientarea:profile")
    context = {"form": form, "tax_id": tax_id_state(request.acting_client)}
    return render(request, "clientarea/profile.html", context)


@require_http_methods(["GET", "POST"])
def new_client(request: Any) -> HttpResponse:
    """Make a client for a log-in that has none, or one more: another company to pay for."""
    if not request.user.is_authenticated:
        return to_login(request)
    form = ProfileForm(request.POST or None, initial={"email": request.user.email})
    going_on = request.POST.get("next") or request.GET.get("next") or ""
    if request.method == "POST" and form.is_valid():
        client = clients.register_client(
            owner=request.user,
            profile={**form.profile, "currency": settings.DEFAULT_CURRENCY},
            at=now(),
        )
        note_arrival(request, client, at=now())
        act_for(request, client)
        return redirect(_own_path(request, going_on))
    context = {"form": form, "next": going_on}
    return render(request, "clientarea/new_client.html", context)


@require_POST
def switch_client(request: Any) -> HttpResponse:
    """Act for another client of the same user from now on."""
    if not request.user.is_authenticated:
        return to_login(request)
    chosen = request.POST.get("client", "")
    membership = next((m for m in request.memberships if str(m.client_id) == chosen), None)
    if membership is None:
        raise Http404
    act_for(request, membership.client)
    return redirect("clientarea:home")


@require_GET
@for_client(Permission.CONTACTS)
def contacts(request: ClientRequest) -> HttpResponse:
    words = dict(Contact.Category.choices)
    rows = [
        (contact, [words[category] for category in contact.categories if category in words])
        for contact in request.acting_client.contacts.all()
    ]
    return render(request, "clientarea/contacts.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@for_client(Permission.CONTACTS)
def new_contact(request: ClientRequest) -> HttpResponse:
    return _edit_contact(request, Contact(client=request.acting_client))


def _contacts() -> QuerySet[Contact]:
    return Contact.objects.select_related("client")


@require_http_methods(["GET", "POST"])
@for_row(Permission.CONTACTS, _contacts)
def contact(request: ClientRequest, contact: Contact) -> HttpResponse:
    return _edit_contact(request, contact)


@require_POST
@for_row(Permission.CONTACTS, _contacts)
def remove_contact(request: ClientRequest, contact: Contact) -> HttpResponse:
    clients.remove_contact(contact, actor=request.user, at=now())
    messages.success(request, f"{contact} was removed and gets no more mails.")
    return redirect("clientarea:contacts")


@require_GET
@for_client(Permission.PROFILE)
def team(request: ClientRequest) -> HttpResponse:
    """Who else may act for the client, and for what."""
    rows = [
        (member, [p for p in Permission if member.allows(p)])
        for member in request.acting_client.memberships.select_related("user")
    ]
    return render(request, "clientarea/team.html", {"rows": rows})


@require_GET
@for_client(Permission.EMAILS)
def mails(request: ClientRequest) -> HttpResponse:
    pages = Paginator(mail.mails_of(request.acting_client.pk), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    rows = [(row, _mail_light(row.email)) for row in page.object_list]
    return render(request, "clientarea/mails.html", {"page": page, "rows": rows})


@require_GET
@for_client(Permission.EMAILS)
def mail_page(request: ClientRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(mail.mails_of(request.acting_client.pk), pk=pk)
    context = {"mail": row, "light": _mail_light(row.email)}
    return render(request, "clientarea/mail.html", context)


def _edit_contact(request: ClientRequest, contact: Contact) -> HttpResponse:
    form = ContactForm(request.POST or None, instance=contact)
    if request.method == "POST" and form.is_valid():
        clients.save_contact(form.instance, actor=request.user, at=now())
        messages.success(request, f"{form.instance} was saved.")
        return redirect("clientarea:contacts")
    context = {"form": form, "contact": contact if contact.pk else None}
    return render(request, "clientarea/contact.html", context)


def _mail_light(email: Email) -> Light:
    return MAIL_LIGHTS.get(email.status, ON_ITS_WAY)


def _own_path(request: HttpRequest, path: str) -> str:
    """`path` if it stays on this site, else the start page."""
    safe = url_has_allowed_host_and_scheme(
        path, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return path if safe else "/"
