from django.apps import AppConfig


class TaxesConfig(AppConfig):
    name = "billing_portal.taxes"
    label = "taxes"
