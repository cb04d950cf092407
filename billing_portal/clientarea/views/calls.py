"""The calls of a PBX: paged by place, filtered, with totals, and as CSV of what is shown."""

import csv
from collections.abc import Iterable
from typing import Any, TypedDict

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from billing_portal.clientarea.access import ClientRequest, for_row
from billing_portal.clients.models import Permission
from billing_portal.invoices.amounts import seller_time
from billing_portal.invoices.models import Charge
from billing_portal.services.models import Service
from pbx import queries
from pbx.models import Call

MODULE_KEY = "fusionpbx"
CSV_LIMIT = 10_000
COLUMNS = ["started_at", "extension", "direction", "caller", "destination", "rate", "talked_s"]
COLUMNS += ["billed_s", "amount", "currency", "why"]


class Filters(TypedDict):
    direction: str
    search: str


def _services() -> QuerySet[Service]:
    return Service.objects.select_related("client", "product").filter(
        product__module_key=MODULE_KEY
    )


@require_GET
@for_row(Permission.PRODUCTS, _services)
def calls(request: ClientRequest, service: Service) -> HttpResponse:
    context = {"service": service, "direction_choices": _DIRECTIONS}
    if charge_id := request.GET.get("charge"):
        context |= _of_charge(request, service, charge_id)
    else:
        context |= _filtered(request, service)
    return render(request, "clientarea/calls.html", context)


@require_GET
@for_row(Permission.PRODUCTS, _services)
def calls_csv(request: ClientRequest, service: Service) -> HttpResponse:
    """What the list shows, all pages of it, newest first; at most 10,000 calls."""
    if charge_id := request.GET.get("charge"):
        rows: Iterable[Call] = queries.calls_of_charge(_charge(service, charge_id).pk)[:CSV_LIMIT]
    else:
        filters = _filters(request)
        rows = queries.call_page(service.pk, limit=CSV_LIMIT, **filters).calls
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="calls-{service.pk}.csv"'
    writer = csv.writer(response)
    writer.writerow(COLUMNS)
    writer.writerows(_csv_row(call, service.currency) for call in rows)
    return response


def _filtered(request: ClientRequest, service: Service) -> dict[str, Any]:
    filters = _filters(request)
    try:
        page = queries.call_page(service.pk, older_than=request.GET.get("older", ""), **filters)
    except queries.BadPlace as error:
        raise Http404(str(error)) from error
    kept = {name: str(value) for name, value in filters.items() if value}
    return {
        "calls": page.calls,
        "older": urlencode({**kept, "older": page.older}) if page.older else "",
        "is_first": "older" not in request.GET,
        "filters": filters,
        "is_filtered": bool(kept),
        "query": urlencode(kept),
        "totals": queries.call_totals(service.pk, **filters),
    }


def _of_charge(request: ClientRequest, service: Service, charge_id: str) -> dict[str, Any]:
    charge = _charge(service, charge_id)
    pages = Paginator(queries.calls_of_charge(charge.pk), queries.PAGE)
    page = pages.get_page(request.GET.get("page"))
    return {
        "charge": charge,
        "calls": page.object_list,
        "page": page,
        "query": urlencode({"charge": charge.pk}),
        "keep": f"charge={charge.pk}&",
    }


def _charge(service: Service, charge_id: str) -> Charge:
    if not charge_id.isdecimal():
        raise Http404
    charges = Charge.objects.select_related("line__invoice")
    return get_object_or_404(charges, service=service, pk=charge_id)


def _filters(request: ClientRequest) -> Filters:
    direction = request.GET.get("direction", "")
    return {
        "direction": direction if direction in dict(_DIRECTIONS) else "",
        "search": request.GET.get("search", "")[:40],
    }


_DIRECTIONS = [("outbound", "Outbound"), ("inbound", "Inbound"), ("local", "Internal")]


def _csv_row(call: Call, currency: str) -> list[Any]:
    return [
        seller_time(call.started_at).isoformat(),
        _harmless(call.extension_number),
        call.direction,
        _harmless(call.caller),
        _harmless(call.destination),
        _harmless(call.rate_description),
        call.billsec,
        call.billed_s,
        "" if call.amount is None else call.amount,
        currency,
        queries.why(call),
    ]


def _harmless(text: str) -> str:
    """Text a spreadsheet does not run: a caller may call himself "=HYPERLINK(...)"."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and not text[1:].isdecimal() else text
