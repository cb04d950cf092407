from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "billing_portal.orders"
    label = "orders"
