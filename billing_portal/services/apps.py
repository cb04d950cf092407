from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "billing_portal.services"
    label = "services"
