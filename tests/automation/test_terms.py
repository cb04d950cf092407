"""Trials, fixed terms and agreed numbers of periods end by themselves, and never unannounced."""

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest
from post_office.models import STATUS, Email

from billing_portal.automation.models import TaskItem
from billing_portal.mail import actions as mail
from billing_portal.mail.delivery import deliver_queued
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import daily
from provisioning import runner
from provisioning.models import Job
from tests.automation.rows import make_overdue
from tests.factories import make_client, make_placement, make_product, make_service, utc
from tests.fakes import FakeModule, FakeVendor

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ENDS = date(2026, 5, 20)


@pytest.fixture(autouse=True)
def _missing_values_show(settings: Any) -> Any:
    settings.TEMPLATES = deepcopy(settings.TEMPLATES)
    settings.TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = "!! missing !!"
    mail._compiled.cache_clear()
    yield
    mail._compiled.cache_clear()


def make_term(ends_on: date = ENDS, **fields: Any) -> Service:
    """An active service at the vendor that was agreed until a day."""
    service = make_service(anchor_date=date(2026, 5, 1), ends_on=ends_on, **fields)
    account = FakeModule.vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def live(first: date, last: date, *, deliver: bool = True) -> None:
    """A tick each day, with the mails and jobs it brings."""
    day = first
    while day <= last:
        at = utc(day.year, day.month, day.day, 4)
        daily.tick(at)
        if deliver:
            deliver_queued()
        for job_id in runner.due_jobs(at=at):
            runner.run(job_id, at=at)
        day += DAY


def told() -> list[tuple[str, str]]:
    mails = ClientMail.objects.order_by("pk")
    return [(f"{one.at:%m-%d}", one.email.subject.split(": ")[0]) for one in mails]


def done() -> list[tuple[str, str]]:
    items = TaskItem.objects.filter(run__task="terms").order_by("pk")
    return [(f"{item.run.business_day:%m-%d}", item.summary) for item in items]


def status() -> str:
    return Service.objects.get().status


def test_a_notice_a_week_before_one_the_day_before_and_then_the_end(vendor: FakeVendor):
    box = make_term()

    live(date(2026, 5, 10), date(2026, 5, 19))
    assert (status(), len(vendor.accounts)) == ("active", 1)

    live(date(2026, 5, 20), date(2026, 5, 25))

    assert (status(), vendor.accounts) == ("terminated", {})
    assert done() == [
        ("05-13", f"Notice: {box} ends on 2026-05-20"),
        ("05-19", f"Last notice: {box} ends on 2026-05-20"),
        ("05-20", f"{box} ends: its term is over"),
    ]
    assert told()[:2] == [("05-13", f"{box} ends on 2026-05-20"), ("05-19", "Last notice")]
    assert Service.objects.get().ended_at == utc(2026, 5, 20, 4)
    text = ClientMail.objects.get(template="term_last_notice").email.message
    assert "Everything in it will be deleted on that day." in text
    assert not Email.objects.filter(message__contains="!! missing !!").exists()


def test_a_suspended_service_ends_with_its_term_too(vendor):
    make_term(status=ServiceStatus.SUSPENDED, suspension_reason="abuse")

    live(date(2026, 5, 10), date(2026, 5, 20))

    assert (status(), vendor.accounts) == ("terminated", {})


def test_a_client_who_is_exempt_from_dunning_is_not_exempt_from_the_end_of_a_term(vendor):
    service = make_term()
    service.client.exempt_from_dunning = True
    service.client.save()

    live(date(2026, 5, 10), date(2026, 5, 20))

    assert status() == "terminated"


def test_after_a_downtime_the_last_notice_comes_first_and_the_end_a_day_later(vendor):
    box = make_term()
    live(date(2026, 5, 10), date(2026, 5, 10))

    live(date(2026, 5, 23), date(2026, 5, 25))

    assert [summary for _, summary in done()] == [
        f"Last notice: {box} ends on 2026-05-24",
        f"{box} ends: its term is over",
    ]
    assert Service.objects.get().ended_at == utc(2026, 5, 24, 4)


def test_nothing_is_deleted_while_the_notice_has_not_gone_out(vendor):
    box = make_term()

    live(date(2026, 5, 10), date(2026, 5, 21), deliver=False)

    assert (status(), len(vendor.accounts)) == ("active", 1)
    assert done()[2:] == [
        (day, f"Service {box.pk}: {box} was not ended: its client's notice did not go out.")
        for day in ("05-20", "05-21")
    ]

    Email.objects.update(status=STATUS.sent)
    live(date(2026, 5, 22), date(2026, 5, 22))

    assert status() == "terminated"


def test_an_end_the_vendor_refuses_is_asked_for_once_and_stays_in_the_job_queue(vendor):
    make_term()
    live(date(2026, 5, 10), date(2026, 5, 19))
    vendor.rejects = "not on a Wednesday"

    live(date(2026, 5, 20), date(2026, 5, 22))

    assert list(Job.objects.values_list("kind", "status")) == [("terminate", "failed")]
    assert [summary for _, summary in done()].count(
        f"{Service.objects.get()} ends: its term is over"
    ) == 1


def test_another_end_has_notices_of_its_own(vendor):
    make_term()
    live(date(2026, 5, 10), date(2026, 5, 19))
    Service.objects.update(ends_on=date(2026, 6, 20))

    live(date(2026, 5, 20), date(2026, 6, 19))

    assert status() == "active"
    assert [day for day, _ in told()] == ["05-13", "05-19", "06-13", "06-19"]


def test_a_service_without_a_module_ends_without_talk_of_data(vendor):
    make_service(product=make_product(module_key=""), spec={}, ends_on=ENDS)

    live(date(2026, 5, 10), date(2026, 5, 20), deliver=False)

    assert status() == "terminated"
    assert "deleted" not in ClientMail.objects.get(template="term_last_notice").email.message


# --- An agreed number of periods --------------------------------------------------------------


def make_limited(**fields: Any) -> Service:
    """Twelve agreed months, the last of which ends on 20 May."""
    values = {"periods_limit": 12, "periods_billed": 12, "billed_until": ENDS}
    return make_service(
        make_client(),
        product=make_product(module_key=""),
        recurring="30.00",
        anchor_date=date(2025, 5, 20),
        **values | fields,
    )


def test_after_the_last_agreed_period_the_service_is_completed_and_its_client_told(vendor):
    box = make_limited()

    live(date(2026, 5, 10), date(2026, 5, 19))
    assert (status(), told()) == ("active", [])

    live(date(2026, 5, 20), date(2026, 5, 22))

    assert (status(), Service.objects.get().ended_at) == ("completed", utc(2026, 5, 20, 4))
    assert told() == [("05-20", f"{box} is completed")]
    assert done() == [("05-20", f"{box} is completed after 12 periods")]
    text = ClientMail.objects.get(template="service_completed").email.message
    assert "all 12 agreed periods" in text
    assert "!! missing !!" not in text


def test_what_stands_at_the_vendor_stays_and_the_item_says_so(vendor):
    box = make_limited()
    make_placement(box)

    live(date(2026, 5, 20), date(2026, 5, 20))

    assert done() == [
        (
            "05-20",
            f"{box} is completed after 12 periods; "
            "what stands at the vendor stays until somebody deletes it",
        )
    ]


@pytest.mark.parametrize(
    "fields",
    [{"periods_billed": 11}, {"periods_limit": None}, {"status": ServiceStatus.SUSPENDED}],
)
def test_what_has_periods_left_or_is_suspended_is_not_completed(vendor, fields):
    before = make_limited(**fields).status

    live(date(2026, 5, 20), date(2026, 5, 20))

    assert (status(), told()) == (before, [])


def test_periods_that_are_not_paid_keep_it_from_being_completed(vendor):
    box = make_limited()
    invoice = make_overdue(box, due=ENDS)

    live(date(2026, 5, 20), date(2026, 5, 21))
    assert status() == "active"

    invoice.status, invoice.paid_amount = "paid", invoice.total
    invoice.save()
    live(date(2026, 5, 22), date(2026, 5, 22))

    assert status() == "completed"
