from django.apps import AppConfig


class ClientareaConfig(AppConfig):
    name = "billing_portal.clientarea"
    label = "clientarea"
