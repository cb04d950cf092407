"""Django's admin, served by our site.

Not in `apps.py`: Django would take it for the configuration of this app.
"""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default = False
    default_site = "billing_portal.staff.site.StaffSite"
