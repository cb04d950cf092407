"""What a client will be invoiced in the next twelve months."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.staff.clients import crumbs
from billing_portal.staff.page import show, staff_page
from billing_portal.workflows.forecast import Forecast, forecast


@staff_page("clients.view_client", "invoices.view_invoice")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Each month with its invoices, made by the bill run's own steps; usage is an estimate."""
    client = get_object_or_404(Client, pk=pk)
    at = now()
    found, problem = None, ""
    try:
        found = forecast(pk, currency=client.currency, at=at)
    except PortalError as error:
        problem = str(error)
    context = {
        "client": client,
        "forecast": found,
        "problem": problem,
        "at": at,
        "next": next((one for month in found.months for one in month.invoices), None)
        if found
        else None,
        "chart": _chart(found) if found and found.total else None,
    }
    return show(
        request, "staff/forecast.html", title="Forecast", crumbs=crumbs(client), context=context
    )


def _chart(found: Forecast) -> dict[str, Any]:
    return {
        "type": "bar",
        "unit": found.currency,
        "labels": [month.first.strftime("%b %Y") for month in found.months],
        "series": [
            {"name": "Total", "values": [str(month.total) for month in found.months]},
            {
                "name": "Of which estimated usage",
                "values": [str(month.estimated) for month in found.months],
            },
        ],
    }
