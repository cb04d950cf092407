from django.apps import AppConfig


class QuotesConfig(AppConfig):
    name = "billing_portal.quotes"
    label = "quotes"
