"""Where an order stands is asked of its services, not stored."""

import pytest

from billing_portal.orders import queries
from billing_portal.orders.models import Order, OrderItem
from billing_portal.orders.queries import Step
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import AT, make_client, make_invoice, make_service

pytestmark = pytest.mark.django_db


def make_order(*services, client=None, invoice=None, **fields):
    order = Order.objects.create(
        client=client or services[0].client,
        invoice=invoice,
        total=0,
        currency="EUR",
        placed_at=AT,
        **{"number": str(Order.objects.count()), "submission_key": str(Order.objects.count())}
        | fields,
    )
    for service in services:
        OrderItem.objects.create(
            order=order, product=service.product, service=service, cycle="monthly"
        )
    return order


def make_job(service, status=Job.Status.QUEUED, attempts=0):
    return Job.objects.create(
        service=service,
        kind=Job.Kind.CREATE,
        status=status,
        attempts=attempts,
        request_key=f"{Job.objects.count()}",
        due_at=AT,
        created_at=AT,
    )


def step(order):
    (service,) = queries.services_of(order)
    return queries.step_of(order, service)


@pytest.fixture
def service():
    return make_service(status=ServiceStatus.PENDING)


def test_an_unpaid_order_waits_for_payment(service):
    bill = make_invoice(service.client, advance={service: "5"})

    assert step(make_order(service, invoice=bill)) == Step.PAYMENT


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_a_paid_order_without_work_waits_for_staff(service, status):
    bill = make_invoice(service.client, advance={service: "5"}, status=status)

    assert step(make_order(service, invoice=bill)) == Step.REVIEW


def test_a_free_order_without_work_waits_for_staff(service):
    assert step(make_order(service)) == Step.REVIEW


@pytest.mark.parametrize(
    ("status", "attempts", "expected"),
    [
        (Job.Status.QUEUED, 0, Step.SETTING_UP),
        (Job.Status.RUNNING, 1, Step.SETTING_UP),
        (Job.Status.QUEUED, 1, Step.DELAYED),
        (Job.Status.RUNNING, 2, Step.DELAYED),
        (Job.Status.FAILED, 1, Step.DELAYED),
    ],
)
def test_work_shows_how_it_gets_on(service, status, attempts, expected):
    make_job(service, status, attempts)

    assert step(make_order(service)) == expected


def test_the_newest_job_counts(service):
    make_job(service, Job.Status.FAILED, 15)
    make_job(service)

    assert step(make_order(service)) == Step.SETTING_UP


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", Step.READY),
        ("suspended", Step.READY),
        ("terminated", Step.ENDED),
        ("cancelled", Step.ENDED),
        ("completed", Step.ENDED),
        ("fraud", Step.ENDED),
    ],
)
def test_what_runs_is_ready_and_what_ended_has_ended(status, expected):
    service = make_service(status=ServiceStatus(status))

    assert step(make_order(service)) == expected


def test_services_come_in_the_order_they_were_asked_for(django_assert_num_queries):
    client = make_client()
    first, second = make_service(client), make_service(client)
    order = make_order(second, first)
    make_order(make_service(client))
    for service in (first, second):
        make_job(service)

    with django_assert_num_queries(2):
        found = queries.services_of(order)
        steps = [queries.step_of(order, service) for service in found]

    assert found == [second, first]
    assert steps == [Step.READY, Step.READY]


def test_a_client_sees_its_own_orders_newest_first(service):
    old = make_order(service)
    new = make_order(make_service(service.client))
    make_order(make_service())

    assert list(queries.orders_of(service.client_id)) == [new, old]
