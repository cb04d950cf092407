"""How the staff dashboard looks: the setting UNFOLD.

Only plain values and dotted paths, because the settings import this file before any
model is loaded.
"""

from typing import Any

DASHBOARD: dict[str, Any] = {
    "SITE_TITLE": "billing_portal.staff.navigation.site_title",
    "SITE_HEADER": "billing_portal.staff.navigation.site_header",
    "SITE_URL": "billing_portal.staff.navigation.shop_url",
    "SITE_SYMBOL": "receipt_long",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": "billing_portal.staff.navigation.favicon",
        }
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "billing_portal.staff.navigation.environment",
    "DASHBOARD_CALLBACK": "billing_portal.staff.home.add_home",
    "BORDER_RADIUS": "8px",
    "STYLES": ["billing_portal.staff.navigation.stylesheet"],
    "SCRIPTS": ["billing_portal.staff.navigation.script"],
    "COMMAND": {"search_models": False, "search_callback": "billing_portal.staff.search.find"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "billing_portal.staff.navigation.sidebar",
    },
    "COLORS": {
        # Ink on paper.
        "base": {
            "50": "#f8f9fb",
            "100": "#f2f4f7",
            "200": "#e4e7ec",
            "300": "#d0d5dd",
            "400": "#98a2b3",
            "500": "#667085",
            "600": "#475467",
            "700": "#344054",
            "800": "#1d2939",
            "900": "#101828",
            "950": "#0c111d",
        },
        # The one accent: indigo.
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#818cf8",
            "500": "#6366f1",
            "600": "#4f46e5",
            "700": "#4338ca",
            "800": "#3730a3",
            "900": "#312e81",
            "950": "#1e1b4b",
        },
        "font": {
            "subtle-light": "#667085",
            "subtle-dark": "#98a2b3",
            "default-light": "#344054",
            "default-dark": "#d0d5dd",
            "important-light": "#101828",
            "important-dark": "#f2f4f7",
        },
    },
}
