from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "billing_portal.workflows"
    label = "workflows"
