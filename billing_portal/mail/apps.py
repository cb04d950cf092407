from django.apps import AppConfig


class PortalMailConfig(AppConfig):
    name = "billing_portal.mail"
    label = "mail"
