from django.apps import AppConfig


class AutomationConfig(AppConfig):
    name = "billing_portal.automation"
    label = "automation"
