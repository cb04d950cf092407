"""Addresses of the client area."""

from django.urls import URLPattern

app_name = "clientarea"
urlpatterns: list[URLPattern] = []
