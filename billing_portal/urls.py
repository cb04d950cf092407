"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("staff/", include("billing_portal.staff.urls")),
    path("staff/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("billing_portal.clientarea.urls")),
]
