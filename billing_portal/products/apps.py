from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "billing_portal.products"
    label = "products"
