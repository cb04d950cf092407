"""Finding a client, service, invoice, order or payment from anywhere in the dashboard."""

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from billing_portal.clients.models import Client
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import Order
from billing_portal.payments.models import Transaction
from billing_portal.services.models import Service

PER_KIND = 6


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """What fits `term`, of the kinds the person may see; one query per kind."""
    kinds = (
        ("clients.view_client", _clients),
        ("services.view_service", _services),
        ("invoices.view_invoice", _invoices),
        ("orders.view_order", _orders),
        ("payments.view_transaction", _payments),
    )
    return [
        result
        for permission, search in kinds
        if request.user.has_perm(permission)
        for result in search(term)
    ]


def _clients(term: str) -> list[SearchResult]:
    fits = (
        Q(company_name__icontains=term)
        | Q(first_name__icontains=term)
        | Q(last_name__icontains=term)
        | Q(email__icontains=term)
    )
    return [
        SearchResult(
            str(client),
            f"Client, {client.email}",
            reverse("staff:client", args=[client.pk]),
            "group",
        )
        for client in Client.objects.filter(fits).order_by("-pk")[:PER_KIND]
    ]


def _services(term: str) -> list[SearchResult]:
    fits = (
        Q(label__icontains=term)
        | Q(placement__remote_name__icontains=term)
        | Q(product__name__icontains=term)
    )
    found = Service.objects.filter(fits).select_related("client", "product").order_by("-pk")
    return [
        SearchResult(
            str(service),
            f"Service of {service.client}, {service.get_status_display().lower()}",
            reverse("staff:service", args=[service.pk]),
            "deployed_code",
        )
        for service in found[:PER_KIND]
    ]


def _invoices(term: str) -> list[SearchResult]:
    fits = Q(number__icontains=term) | Q(proforma_number__icontains=term)
    found = Invoice.objects.filter(fits).select_related("client")
    return [
        SearchResult(
            str(invoice),
            f"{invoice.document} to {invoice.client}, {invoice.get_status_display().lower()}",
            reverse("staff:invoice", args=[invoice.pk]),
            "receipt_long",
        )
        for invoice in found[:PER_KIND]
    ]


def _orders(term: str) -> list[SearchResult]:
    found = Order.objects.filter(number__icontains=term).select_related("client")
    return [
        SearchResult(
            f"Order {order.number}",
            f"by {order.client}",
            reverse("staff:order", args=[order.pk]),
            "shopping_cart",
        )
        for order in found[:PER_KIND]
    ]


def _payments(term: str) -> list[SearchResult]:
    found = Transaction.objects.filter(external_id__icontains=term).select_related("client")
    return [
        SearchResult(
            str(payment),
            f"Payment of {payment.client}",
            reverse("admin:payments_transaction_change", args=[payment.pk]),
            "payments",
        )
        for payment in found[:PER_KIND]
    ]
