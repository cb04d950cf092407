"""The home page: what needs a person now, then money, then services, then growth."""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.staff import figures
from billing_portal.staff.attention import needs


def add_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The admin index's context with our home page in it.

    Staff without a role may log in, but see nothing of clients and money.
    """
    context |= {"title": "Home", "is_fullwidth": "1"}
    if not request.user.has_perms(["clients.view_client", "invoices.view_invoice"]):
        return context | {"has_role": False}
    at = now()
    months = figures.months(at)
    return context | {
        "has_role": True,
        "at": at,
        "needs": needs(at),
        "money": figures.money(at),
        "services": figures.services_by_state(),
        "products": figures.services_by_product(),
        "months": months,
        "growth": {
            "labels": [month.label for month in months],
            "unit": settings.DEFAULT_CURRENCY,
            "series": [
                {"name": "Recurring per month", "values": [str(month.monthly) for month in months]}
            ],
        },
        "currency": settings.DEFAULT_CURRENCY,
        "overdue_list": _overdue_list(local_date(at, settings.SELLER_TIMEZONE)),
    }


def _overdue_list(today: date) -> str:
    yesterday = today - timedelta(days=1)
    invoices = reverse("admin:invoices_invoice_changelist")
    return f"{invoices}?status__exact=unpaid&due_date_to={yesterday}"
