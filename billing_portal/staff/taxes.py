"""How a client is taxed, with the evidence; and loading published rates."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.staff import clients
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.taxes import actions, queries
from billing_portal.taxes.admin import ANSWERS
from billing_portal.taxes.ids import example_of
from billing_portal.taxes.models import SignupPlace, TaxIdCheck
from billing_portal.taxes.rates import PRESETS
from billing_portal.taxes.supply import IdState

Answer = TaxIdCheck.Answer
WORDS = {
    IdState.MALFORMED: ("failed", "Not a VAT id of that country"),
    IdState.UNCHECKED: ("waiting", "Not looked up yet"),
    IdState.UNAVAILABLE: ("waiting", "The register did not answer"),
    IdState.INVALID: ("failed", "Not valid"),
    IdState.VALID: ("active", "Valid"),
}
"""Light and word of what is known about an id."""


class AnswerForm(forms.Form):
    """What somebody found out about a VAT id without the portal."""

    answer = forms.ChoiceField(
        label="What you found",
        choices=[(Answer.VALID.value, "Valid"), (Answer.INVALID.value, "Not valid")],
    )
    consultation = forms.CharField(
        label="Number of the consultation",
        max_length=60,
        required=False,
        help_text="What the register gives as proof. Keep a print-out as well.",
    )


class RatesForm(forms.Form):
    """Which published rates to add."""

    preset = forms.ChoiceField(choices=[(key, one.title) for key, one in PRESETS.items()])


@staff_page("clients.view_client", "taxes.view_taxidcheck")
def client_tax(request: HttpRequest, pk: int) -> HttpResponse:
    """The decision, the id, every answer of the register, and where the client signed up."""
    return _client_page(request, get_object_or_404(Client, pk=pk), AnswerForm())


@staff_page("clients.change_client", "taxes.view_taxidcheck")
def ask_register(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask now.  The page waits for the register, up to its time limit."""
    client = get_object_or_404(Client, pk=pk)
    if request.method == "POST":
        check = actions.ask_register(client.pk, at=now(), again=True)
        if check is None:
            messages.error(request, "There is nothing to ask: see below why.")
        else:
            messages.info(request, f"Asked. {check}.")
    return redirect("staff:client-tax", pk=pk)


@staff_page("clients.change_client", "taxes.view_taxidcheck")
def record_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what somebody found out elsewhere."""
    client = get_object_or_404(Client, pk=pk)
    form = AnswerForm(request.POST or None)
    if form.is_valid():
        try:
            check = actions.record_answer(
                client,
                answer=Answer(form.cleaned_data["answer"]),
                consultation=form.cleaned_data["consultation"],
                actor=member(request),
                at=now(),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Recorded. {check}.")
            return redirect("staff:client-tax", pk=pk)
    return _client_page(request, client, form)


@staff_page("taxes.add_taxrule")
def rates(request: HttpRequest) -> HttpResponse:
    """Published rates: what each set holds, and adding one."""
    form = RatesForm(request.POST or None)
    if form.is_valid():
        preset = PRESETS[form.cleaned_data["preset"]]
        loaded = actions.load_rates(preset, actor=member(request), at=now())
        kept = f" {len(loaded.kept)} places have a rule already and keep it." if loaded.kept else ""
        messages.success(request, f"{preset.title}: {len(loaded.added)} rules added.{kept}")
        return redirect("admin:taxes_taxrule_changelist")
    crumbs = (Crumb("Tax rules", reverse("admin:taxes_taxrule_changelist")),)
    context = {"presets": PRESETS.items()}
    return show(
        request, "staff/tax_rates.html", title="Published rates", crumbs=crumbs, context=context
    )


def _client_page(request: HttpRequest, client: Client, form: AnswerForm) -> HttpResponse:
    country = str(client.country)
    standing = queries.standing(client)
    matters = queries.asks_register_about(country)
    place = SignupPlace.objects.filter(client=client).first()
    context: dict[str, Any] = {
        "client": client,
        "decision": clients.tax_decision(client, at=now()),
        "standing": standing,
        "light": WORDS.get(standing.state),
        "matters": matters,
        "example": example_of(country) if matters else "",
        "checks": [(check, ANSWERS[Answer(check.answer)]) for check in _checks(client)],
        "place": place,
        "disagrees": bool(place and place.country and place.country != country),
        "has_register": bool(settings.VIES_URL),
        "may_change": request.user.has_perm("clients.change_client"),
        "form": form,
    }
    return show(
        request, "staff/tax.html", title="Tax", crumbs=clients.crumbs(client), context=context
    )


def _checks(client: Client) -> list[TaxIdCheck]:
    return list(client.tax_id_checks.all()[:50])
