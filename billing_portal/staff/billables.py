"""Billable items: the list with what became of each, adding, changing, closing, invoicing now."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.billables import actions
from billing_portal.billables.models import BillableItem
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices.models import Charge
from billing_portal.services.models import Service
from billing_portal.staff import clients
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import billable_items

PER_PAGE = 50
SHOWN = {"open": "Open", "closed": "Closed", "all": "All"}


class ItemForm(forms.ModelForm):
    """What is charged, for how much, and when."""

    class Meta:
        model = BillableItem
        fields = (
            *("description", "service", "quantity", "unit", "unit_price", "taxable", "billing"),
            *("due_date", "every", "every_unit", "times_limit"),
        )
        widgets = {  # noqa: RUF012  # read by Django alone
            "due_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        }
        labels = {  # noqa: RUF012
            "billing": "When to bill",
            "due_date": "First day",
            "every": "Every",
            "every_unit": "Unit of time",
            "times_limit": "How often",
        }
        help_texts = {  # noqa: RUF012
            "due_date": "For an item that is billed on a day, or again and again.",
            "unit_price": "With tax if the prices of the catalogue are, without if they are not.",
            "times_limit": "Of an item that is billed again and again; empty: for ever.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        service = self.fields["service"]
        assert isinstance(service, forms.ModelChoiceField)
        own = Service.objects.filter(client=self.instance.client)
        service.queryset = own.select_related("product").order_by("pk")


def crumbs() -> tuple[Crumb, ...]:
    return (Crumb("Billable items", reverse("staff:billables")),)


@staff_page("billables.view_billableitem")
def page(request: HttpRequest) -> HttpResponse:
    """Every item with its state; chosen ones are invoiced now."""
    shown = request.GET.get("show", "open")
    items = _items(shown if shown in SHOWN else "open")
    client_id = request.GET.get("client", "")
    client = (
        Client.objects.filter(pk=client_id).first()
        if client_id.isascii() and client_id.isdigit()
        else None
    )
    if client:
        items = items.filter(client=client)
    rows = Paginator(items, PER_PAGE).get_page(request.GET.get("page"))
    _attach_charges(list(rows.object_list))
    context = {"page": rows, "shown": shown, "choices": SHOWN, "client": client}
    return show(request, "staff/billables.html", title="Billable items", context=context)


@staff_page("billables.add_billableitem")
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """A new item for a client."""
    client = get_object_or_404(Client, pk=pk)
    item = BillableItem(client=client, created_at=now())
    return _write(request, item, clients.crumbs(client))


@staff_page("billables.add_billableitem")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another content for an item nothing was charged for."""
    item = get_object_or_404(BillableItem.objects.select_related("client"), pk=pk)
    if item.times_billed or item.closed_at:
        messages.error(request, f"{item} was charged or closed already. Add another.")
        return redirect("staff:billables")
    return _write(request, item, crumbs())


@staff_page("billables.add_billableitem")
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then charge nothing more for an item."""
    item = get_object_or_404(BillableItem.objects.select_related("client"), pk=pk)
    if request.method == "POST":
        actions.close(pk, at=now(), actor=member(request))
        messages.success(request, f"{item} is closed. Nothing more is charged for it.")
        return redirect("staff:billables")
    return show(
        request, "staff/close_billable.html", title="Close", crumbs=crumbs(), context={"item": item}
    )


@staff_page("billables.add_billableitem", "invoices.add_invoice")
def invoice_now(request: HttpRequest) -> HttpResponse:
    """Invoice the chosen items at once, after asking."""
    chosen = [int(key) for key in request.POST.getlist("item") if key.isascii() and key.isdigit()]
    items = _items("open").filter(pk__in=chosen)
    if request.method != "POST" or not items:
        messages.error(request, "Choose the items to invoice.")
        return redirect("staff:billables")
    if "sure" not in request.POST:
        return show(
            request,
            "staff/invoice_billables.html",
            title="Invoice now",
            crumbs=crumbs(),
            context={"items": items},
        )
    try:
        issued = billable_items.invoice_now(chosen, at=now(), actor=member(request))
    except PortalError as error:
        messages.error(request, str(error))
    else:
        numbers = ", ".join(str(invoice) for invoice in issued)
        messages.success(request, f"Issued and mailed: {numbers}.")
    return redirect("staff:billables")


def _write(request: HttpRequest, item: BillableItem, path: tuple[Crumb, ...]) -> HttpResponse:
    form = ItemForm(request.POST or None, instance=item)
    if request.method == "POST" and form.is_valid():
        try:
            actions.save(form.instance, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{item} is noted: {item.get_billing_display().lower()}.")
            return redirect(f"{reverse('staff:billables')}?client={item.client_id}")
    return show(
        request,
        "staff/billable_form.html",
        title="Change" if item.pk else "New billable item",
        crumbs=path,
        context={"item": item, "client": item.client, "form": form},
    )


def _items(shown: str) -> QuerySet[BillableItem]:
    items = BillableItem.objects.select_related("client", "service__product").order_by("-pk")
    if shown == "all":
        return items
    return items.filter(closed_at__isnull=shown == "open")


def _attach_charges(items: list[BillableItem]) -> None:
    """Give each item of a page its charges, newest first, in one statement."""
    keys = [f"item:{item.pk}:{turn}" for item in items for turn in _turns(item)]
    found = Charge.objects.filter(key__in=keys).select_related("line__invoice").order_by("-pk")
    by_item: dict[int, list[Charge]] = {}
    for charge in found:
        by_item.setdefault(int(charge.key.split(":")[1]), []).append(charge)
    for item in items:
        item.charges = by_item.get(item.pk, [])  # type: ignore[attr-defined]  # for the page alone


def _turns(item: BillableItem) -> range:
    """The last few turns: the page shows no more."""
    return range(max(1, item.times_billed - 2), item.times_billed + 1)
