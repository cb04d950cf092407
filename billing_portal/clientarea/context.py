"""What every template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "seller_name": settings.SELLER_NAME,
        "acting_client": getattr(request, "acting_client", None),
        "memberships": getattr(request, "memberships", []),
    }
