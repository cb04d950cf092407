"""VAT ids the register was silent about are asked about again by the daily run."""

from datetime import date, timedelta

import pytest

from billing_portal.automation.models import Task, TaskItem, TaskRun
from billing_portal.taxes.models import TaxIdCheck
from billing_portal.taxes.tasks import check_tax_id
from billing_portal.workflows import daily
from tests.factories import make_client, utc
from tests.taxes import register as fake
from tests.taxes.rows import make_tax_id_check, make_tax_settings

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)
AT = utc(2026, 11, 20, 5)


@pytest.fixture
def register(settings):
    with fake.running() as found:
        settings.VIES_URL = found.url
        yield found


@pytest.fixture
def client(db):
    make_tax_settings(eu_vat=True)
    client = make_client(country="FR", tax_id="FR12345678901")
    make_tax_id_check(client, "unavailable", checked_at=AT - timedelta(hours=9), next_check_at=AT)
    return client


def run(capture):
    with capture(execute=True):
        daily.run_day(DAY, AT)
    return TaskRun.objects.get(business_day=DAY, task=Task.TAX_IDS)


def asked(sent_tasks):
    return [t.kwargs for t in sent_tasks if t.name == "billing_portal.taxes.tasks.check_tax_id"]


def test_the_day_queues_the_question_and_says_so(
    client, register, sent_tasks, django_capture_on_commit_callbacks
):
    done = run(django_capture_on_commit_callbacks)

    assert (done.state, done.done_count) == ("done", 1)
    assert [item.summary for item in TaskItem.objects.filter(run=done)] == [
        "Acme Ltd: the register is asked about FR12345678901"
    ]
    assert asked(sent_tasks) == [{"client_id": client.pk}]
    assert register.asked == []


def test_once_answered_the_day_finds_nothing_to_do(
    client, register, sent_tasks, django_capture_on_commit_callbacks
):
    register.valid["FR12345678901"] = "SARL EXEMPLE"
    check_tax_id(client_id=client.pk)

    done = run(django_capture_on_commit_callbacks)

    assert (done.state, done.done_count) == ("done", 0)
    assert asked(sent_tasks) == []
    assert TaxIdCheck.objects.filter(answer="valid").count() == 1


def test_a_rehearsal_asks_nobody(client, register, sent_tasks, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        deeds = daily.rehearse(DAY, AT)

    assert [deed.summary for deed in deeds[Task.TAX_IDS]] == [
        "Acme Ltd: the register is asked about FR12345678901"
    ]
    assert asked(sent_tasks) == []


def test_without_a_register_the_day_has_nothing_to_do(
    client, sent_tasks, django_capture_on_commit_callbacks
):
    done = run(django_capture_on_commit_callbacks)

    assert (done.state, done.done_count) == ("done", 0)
    assert asked(sent_tasks) == []
