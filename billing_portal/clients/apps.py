from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "billing_portal.clients"
    label = "clients"
