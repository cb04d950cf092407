from django.apps import AppConfig


class BillablesConfig(AppConfig):
    name = "billing_portal.billables"
    label = "billables"
