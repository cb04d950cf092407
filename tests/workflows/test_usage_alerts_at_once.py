"""Several workers looking for used limits at once: each client is told once."""

from decimal import Decimal

import pytest

from billing_portal.mail.models import ClientMail
from billing_portal.services.models import UsageAlert
from billing_portal.workflows import usage_alerts
from tests.backups.test_usage import hours, make_datastore, make_storage
from tests.threads import at_once, failures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_workers_at_once_tell_each_client_once():
    for _ in range(5):
        service = make_storage(usage_cap=Decimal("5.00"))
        service.usage_prices.update(included=Decimal(500))
        make_datastore(service, (hours(0), 1000))

    outcomes = at_once(*[lambda: usage_alerts.tell_all(hours(1))] * 6)

    assert failures(outcomes) == []
    assert UsageAlert.objects.count() == 10  # the included ones and the cap of each
    assert ClientMail.objects.filter(template="usage_alert").count() == 10
    assert ClientMail.objects.filter(template="usage_cap_staff").count() == 5
