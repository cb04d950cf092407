"""Addresses of the client area."""

from django.urls import path

from billing_portal.clientarea.views import (
    account,
    calls,
    catalogue,
    health,
    home,
    invoices,
    orders,
    paying,
    services,
    settings,
)

app_name = "clientarea"
urlpatterns = [
    path("", home.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("order/", catalogue.catalogue, name="catalogue"),
    path("order/<slug:slug>/", catalogue.product, name="product"),
    path("order/<slug:slug>/price/", catalogue.price, name="price"),
    path("order/<slug:slug>/checkout/", orders.checkout, name="checkout"),
    path("orders/<int:pk>/", orders.order, name="order"),
    path("orders/<int:pk>/progress/", orders.progress, name="order_progress"),
    path("services/", services.services, name="services"),
    path("services/<int:pk>/", services.service, name="service"),
    path("services/<int:pk>/job/", services.job, name="job"),
    path("services/<int:pk>/reveal/", services.reveal, name="reveal"),
    path("services/<int:pk>/resize/", services.resize, name="resize"),
    path("services/<int:pk>/settings/", settings.configure, name="configure"),
    path("services/<int:pk>/calls/", calls.calls, name="calls"),
    path("services/<int:pk>/calls.csv", calls.calls_csv, name="calls_csv"),
    path("invoices/", invoices.invoices, name="invoices"),
    path("invoices/<int:pk>/", invoices.invoice, name="invoice"),
    path("invoices/<int:pk>/pdf/", invoices.pdf, name="invoice_pdf"),
    path("invoices/<int:pk>/pay/", paying.pay, name="pay"),
    path("pay/test/<int:pk>/", paying.test_payment, name="test_payment"),
    path("payments/", invoices.payment_history, name="payments"),
    path("account/", account.profile, name="profile"),
    path("account/new/", account.new_client, name="new_client"),
    path("account/switch/", account.switch_client, name="switch_client"),
    path("account/contacts/", account.contacts, name="contacts"),
    path("account/contacts/new/", account.new_contact, name="new_contact"),
    path("account/contacts/<int:pk>/", account.contact, name="contact"),
    path("account/contacts/<int:pk>/remove/", account.remove_contact, name="remove_contact"),
    path("account/team/", account.team, name="team"),
    path("account/mails/", account.mails, name="mails"),
    path("account/mails/<int:pk>/", account.mail_page, name="mail"),
]
