"""What surrounds every page: the sidebar, the names and the files it loads."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from billing_portal.clock.reading import offset
from provisioning.models import Job


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the sidebar, shown to those who have `permission`."""

    title: str
    icon: str
    address: str
    permission: str
    badge: int = 0


def site_title(request: HttpRequest) -> str:
    return f"{settings.SELLER_NAME} staff"


def site_header(request: HttpRequest) -> str:
    return str(settings.SELLER_NAME)


def shop_url(request: HttpRequest) -> str:
    return "/"


def favicon(request: HttpRequest) -> str:
    return static("staff/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("staff/staff.css")


def script(request: HttpRequest) -> str:
    return static("staff/staff.js")


def environment(request: HttpRequest) -> list[str] | None:
    """A label beside the title when this is not the real thing."""
    if settings.SIMULATION and offset():
        return ["Simulated time", "warning"]
    return ["Demo", "info"] if settings.DEMO else None


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar, as Unfold wants them; lines nobody may use are left out."""
    failed = Job.objects.filter(status=Job.Status.FAILED).count()
    groups = [("", _today(failed)), *_groups()]
    return [
        {"title": title, "separator": False, "items": items}
        for title, lines in groups
        if (items := [_line(request, line) for line in lines if _may(request, line)])
    ]


def _today(failed: int) -> list[Item]:
    return [
        Item("Home", "space_dashboard", reverse("admin:index"), ""),
        Item(
            "Job queue",
            "playlist_play",
            reverse("staff:jobs"),
            "provisioning.view_job",
            badge=failed,
        ),
    ]


def _groups() -> list[tuple[str, list[Item]]]:
    return [
        (
            "Clients",
            [
                _list("Clients", "group", "clients", "client"),
                _list("Client groups", "groups", "clients", "clientgroup"),
                _list("Services", "deployed_code", "services", "service"),
                _list("Orders", "shopping_cart", "orders", "order"),
                Item(
                    "Changes and cancellations",
                    "move_up",
                    reverse("staff:leaving"),
                    "services.view_service",
                ),
            ],
        ),
        (
            "Billing",
            [
                _list("Invoices", "receipt_long", "invoices", "invoice"),
                _list("Payments", "payments", "payments", "transaction"),
                _list("Charges", "speed", "invoices", "charge"),
                Item("Quotes", "request_quote", reverse("staff:quotes"), "quotes.view_quote"),
                Item(
                    "Billable items",
                    "playlist_add",
                    reverse("staff:billables"),
                    "billables.view_billableitem",
                ),
                _list("Gateway events", "webhook", "payments", "webhookevent"),
                Item(
                    "Reports",
                    "bar_chart",
                    reverse("staff:reports"),
                    "invoices.view_invoice",
                ),
            ],
        ),
        (
            "Tax",
            [
                _list("Tax rules", "percent", "taxes", "taxrule"),
                _list("Tax settings", "account_balance", "taxes", "taxsettings"),
                _list("Tax id checks", "verified", "taxes", "taxidcheck"),
                Item(
                    "Tax report",
                    "summarize",
                    reverse("staff:tax-report"),
                    "invoices.view_invoice",
                ),
            ],
        ),
        (
            "Usage",
            [
                Item(
                    "Datastores",
                    "database",
                    reverse("staff:datastores"),
                    "backups.view_datastore",
                ),
                _list("Calls", "call", "pbx", "call"),
                _list("Tariffs", "sell", "pbx", "tariff"),
            ],
        ),
        (
            "Catalogue",
            [
                _list("Products", "inventory_2", "products", "product"),
                Item(
                    "Deposits",
                    "savings",
                    reverse("staff:deposits"),
                    "payments.view_paymentsettings",
                ),
                Item(
                    "Exchange rates",
                    "currency_exchange",
                    reverse("staff:rates"),
                    "products.view_exchangerate",
                ),
                _list("Product groups", "category", "products", "productgroup"),
                _list("Options", "tune", "products", "optiongroup"),
                Item(
                    "Catalogue check",
                    "rule",
                    reverse("staff:catalogue"),
                    "products.view_product",
                ),
                _list("Client questions", "contact_support", "clients", "clientfield"),
                _list("Add-ons", "extension", "products", "addon"),
                _list("Promotions", "sell", "promotions", "promotion"),
            ],
        ),
        (
            "Operation",
            [
                Item(
                    "Billing settings",
                    "tune",
                    reverse("staff:billing-settings"),
                    "invoices.view_billingsettings",
                ),
                Item(
                    "Automation",
                    "event_repeat",
                    reverse("staff:automation"),
                    "automation.view_taskrun",
                ),
                _list("Servers", "dns", "provisioning", "server"),
                _list("Job history", "history", "provisioning", "job"),
                _list("Module log", "terminal", "provisioning", "modulelog"),
            ],
        ),
        (
            "Mail",
            [
                _list("Sent mail", "outgoing_mail", "mail", "clientmail"),
                _list("Mail templates", "draft", "post_office", "emailtemplate"),
            ],
        ),
        (
            "Control",
            [
                _list("Audit log", "policy", "audit", "entry"),
                _list("Users", "badge", "accounts", "user"),
                _list("Roles", "shield_person", "auth", "group"),
            ],
        ),
    ]


def _list(title: str, icon: str, app: str, model: str) -> Item:
    """The list of a model."""
    address = reverse(f"admin:{app}_{model}_changelist")
    return Item(title, icon, address, f"{app}.view_{model}")


def _may(request: HttpRequest, item: Item) -> bool:
    return not item.permission or request.user.has_perm(item.permission)


def _line(request: HttpRequest, item: Item) -> dict[str, Any]:
    line: dict[str, Any] = {"title": item.title, "icon": item.icon, "link": item.address}
    if item.address == reverse("admin:index"):
        line["active"] = request.path == item.address
    if item.badge:
        line |= {"badge": str(item.badge), "badge_variant": "danger"}
    return line
