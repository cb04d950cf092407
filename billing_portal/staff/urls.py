"""Addresses of the dashboard's own pages, placed among those of the admin site.

An object's page stands where the admin site would only redirect to its form:
`clients/client/5/` is the summary, `clients/client/5/change/` the form.
"""

from django.urls import URLPattern

app_name = "staff"
urlpatterns: list[URLPattern] = []
