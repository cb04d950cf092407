from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    name = "billing_portal.invoices"
    label = "invoices"
