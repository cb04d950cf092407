"""Addresses of the dashboard's own pages, placed among those of the admin site.

An object's page stands where the admin site would only redirect to its form:
`clients/client/5/` is the summary, `clients/client/5/change/` the form.
"""

from django.urls import path

from billing_portal.staff import (
    automation,
    billing_settings,
    clients,
    datastores,
    invoices,
    jobs,
    mails,
    orders,
    reports,
    servers,
    services,
    tax_report,
    taxes,
)

app_name = "staff"
urlpatterns = [
    path("clients/client/<int:pk>/", clients.summary, name="client"),
    path("clients/client/<int:pk>/payment/", clients.record_payment, name="client-payment"),
    path("clients/client/<int:pk>/preview/", clients.preview, name="client-preview"),
    path("clients/client/<int:pk>/bill/", clients.bill_now, name="client-bill"),
    path("clients/client/<int:pk>/tax/", taxes.client_tax, name="client-tax"),
    path("clients/client/<int:pk>/tax/ask/", taxes.ask_register, name="client-tax-ask"),
    path("clients/client/<int:pk>/tax/answer/", taxes.record_answer, name="client-tax-answer"),
    path("services/service/<int:pk>/", services.page, name="service"),
    path("services/service/<int:pk>/live/", services.live, name="service-live"),
    path("services/service/<int:pk>/reveal/", services.reveal, name="service-reveal"),
    path("services/service/<int:pk>/do/<slug:key>/", services.command, name="service-command"),
    path("orders/order/<int:pk>/", orders.page, name="order"),
    path("orders/order/<int:pk>/set-up/", orders.set_up, name="order-set-up"),
    path("orders/order/<int:pk>/cancel/", orders.cancel, name="order-cancel"),
    path("invoices/invoice/<int:pk>/", invoices.page, name="invoice"),
    path("invoices/invoice/<int:pk>/pdf/", invoices.pdf, name="invoice-pdf"),
    path("invoices/invoice/<int:pk>/cancel/", invoices.cancel, name="invoice-cancel"),
    path("billing-settings/", billing_settings.page, name="billing-settings"),
    path("automation/", automation.page, name="automation"),
    path("automation/now/", automation.run_now, name="automation-now"),
    path("automation/<int:pk>/", automation.run, name="task-run"),
    path("jobs/", jobs.queue, name="jobs"),
    path("jobs/live/", jobs.live, name="jobs-live"),
    path("jobs/retry/", jobs.retry, name="jobs-retry"),
    path("jobs/resolve/", jobs.resolve, name="jobs-resolve"),
    path("provisioning/job/<int:pk>/", jobs.page, name="job"),
    path("provisioning/server/<int:pk>/", servers.page, name="server"),
    path("provisioning/server/<int:pk>/test/", servers.test, name="server-test"),
    path("provisioning/server/<int:pk>/compare/", servers.compare, name="server-compare"),
    path("provisioning/modulelog/<int:pk>/", mails.exchange, name="exchange"),
    path("mail/clientmail/<int:pk>/", mails.mail, name="mail"),
    path("mail/clientmail/<int:pk>/body/", mails.body, name="mail-body"),
    path("datastores/", datastores.overview, name="datastores"),
    path("datastores/<int:pk>/log/", datastores.rescale_log, name="rescale-log"),
    path("datastores/<int:pk>/<slug:key>/", datastores.deed, name="datastore-deed"),
    path("taxes/published/", taxes.rates, name="tax-rates"),
    path("reports/tax/", tax_report.page, name="tax-report"),
    path("reports/", reports.page, name="reports"),
    path("reports/<slug:key>/", reports.page, name="report"),
]
