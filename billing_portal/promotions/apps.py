from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    name = "billing_portal.promotions"
    label = "promotions"
