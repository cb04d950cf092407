from django.apps import AppConfig


class ClockConfig(AppConfig):
    name = "billing_portal.clock"
    label = "clock"
