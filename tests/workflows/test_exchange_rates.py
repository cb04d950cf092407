"""Exchange rates: read from a feed, believed within reason, and on every invoice from then on."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.automation.models import AutomationSettings, TaskItem
from billing_portal.products import rate_feed
from billing_portal.products.models import ExchangeRate, Price
from billing_portal.products.rate_feed import FeedUnavailable
from billing_portal.workflows import bill_run, convert_prices, daily, exchange_rates
from billing_portal.workflows.convert_prices import PricesMoved
from billing_portal.workflows.exchange_rates import RateRefused
from tests.factories import AT, make_client, make_product, make_service, utc

pytestmark = pytest.mark.django_db

FEED = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<Cube><Cube time='2026-11-20'><Cube currency='USD' rate='1.0800'/>
<Cube currency='GBP' rate='0.9000'/><Cube currency='JPY' rate='162.35'/></Cube></Cube>
</gesmes:Envelope>"""


@pytest.fixture
def feed(settings: Any) -> Iterator[list[Any]]:
    """A feed on this machine; the list holds the status and body it answers with."""
    answer: list[Any] = [200, FEED]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer[0])
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    settings.EXCHANGE_RATES_URL = f"http://127.0.0.1:{server.server_port}/daily.xml"
    yield answer
    server.shutdown()
    server.server_close()


def rates():
    return {rate.currency: f"{rate.rate.normalize():f}" for rate in ExchangeRate.objects.all()}


# --- The feed -----------------------------------------------------------------------------


def test_the_feed_is_read():
    read = rate_feed.read(FEED)

    assert (read.day, read.rates) == (
        date(2026, 11, 20),
        {
            "EUR": Decimal(1),
            "USD": Decimal("1.0800"),
            "GBP": Decimal("0.9000"),
            "JPY": Decimal("162.35"),
        },
    )


def test_another_own_currency_is_counted_through_the_euro():
    assert rate_feed.read(FEED).per_unit_of("USD") == {
        "EUR": Decimal("0.92592593"),
        "GBP": Decimal("0.83333333"),
        "JPY": Decimal("150.32407407"),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"not xml",
        FEED.replace(b"1.0800", b"-1"),
        FEED.replace(b"1.0800", b"NaN"),
        FEED.replace(b"1.0800", b"much"),
        FEED.replace(b"2026-11-20", b"today"),
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + FEED[39:],
        FEED + b" " * 1_000_000,
    ],
)
def test_what_is_no_feed_is_refused(body):
    with pytest.raises(FeedUnavailable):
        rate_feed.read(body)


def test_a_feed_that_does_not_know_the_own_currency_says_so():
    with pytest.raises(FeedUnavailable, match="does not know CHF"):
        rate_feed.read(FEED).per_unit_of("CHF")


# --- Keeping rates ------------------------------------------------------------------------


def test_rates_of_the_currencies_in_use_are_kept(feed):
    make_client(currency="USD")

    done = exchange_rates.update(at=AT)

    assert (done.changed, done.refused, rates()) == (("USD",), (), {"USD": "1.08"})
    entry = Entry.objects.get(action="rate.changed")
    assert entry.summary == "1 EUR is 1.08 USD (feed of 2026-11-20)"
    assert exchange_rates.update(at=AT).changed == ()


@pytest.mark.parametrize("status", [404, 500])
def test_a_feed_that_fails_changes_nothing(feed, status):
    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.05"), as_of=AT)
    feed[0] = status

    with pytest.raises(FeedUnavailable, match=f"answers {status}"):
        exchange_rates.update(at=AT)

    assert rates() == {"USD": "1.05"}


def test_a_rate_that_jumps_is_not_believed_unless_a_person_says_it(feed):
    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.50"), as_of=AT)
    ExchangeRate.objects.create(currency="GBP", rate=Decimal("0.89"), as_of=AT)

    done = exchange_rates.update(at=AT)

    assert (done.changed, rates()) == (("GBP",), {"USD": "1.5", "GBP": "0.9"})
    assert done.refused == (
        "USD would go from 1.5 to 1.08: that is too much to believe. "
        "Enter it by hand if it is right.",
    )
    assert Entry.objects.filter(action="rate.refused").count() == 1


@pytest.mark.parametrize(
    ("currency", "rate", "sentence"),
    [
        ("EUR", "2", "EUR is your own currency"),
        ("USD", "0", "A rate is more than zero"),
        ("XXQ", "1", "is not a currency code"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(currency, rate, sentence):
    with pytest.raises(RateRefused, match=sentence):
        exchange_rates.keep(currency, Decimal(rate), source="x", at=AT, actor=None)


def test_the_daily_task_asks_only_where_it_is_switched_on(feed, sent_tasks, settings):
    rules = AutomationSettings.objects.create(pk=1)
    daily.tick(utc(2026, 11, 20, 5))
    assert not [task for task in sent_tasks if task.name.endswith("update_rates")]

    rules.update_rates = True
    rules.save()
    daily.tick(utc(2026, 11, 21, 5))

    assert TaskItem.objects.filter(run__task="rates").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_task_is_sent_once_the_day_is_noted(feed, sent_tasks):
    AutomationSettings.objects.create(pk=1, update_rates=True)

    daily.tick(utc(2026, 11, 21, 5))

    assert [t.name for t in sent_tasks if t.name.endswith("update_rates")] == [
        "billing_portal.workflows.tasks.update_rates"
    ]


def test_an_invoice_keeps_the_rate_of_its_day(vendor):
    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.08"), as_of=AT)
    client = make_client(currency="USD")
    make_service(
        client, product=make_product(module_key=""), spec={}, recurring="10.00", currency="USD"
    )

    (invoice,) = bill_run.bill_client(client.pk, AT)
    exchange_rates.keep("USD", Decimal("1.20"), source="x", at=AT, actor=None)

    invoice.refresh_from_db()
    assert invoice.exchange_rate == Decimal("1.08")


# --- Prices -------------------------------------------------------------------------------


def two_prices():
    product = make_product(recurring="10.00", setup_fee="5.00", name="Box")
    ExchangeRate.objects.create(currency="USD", rate=Decimal("1.085"), as_of=AT)
    return Price.objects.create(
        product=product,
        currency="USD",
        cycle="monthly",
        recurring=Decimal("10.00"),
        setup_fee=Decimal("5.00"),
    )


def test_prices_follow_the_rate_after_a_look():
    price = two_prices()

    changes = convert_prices.plan(["USD"])
    assert [(c.row, c.before, c.after) for c in changes] == [
        (price, (Decimal(10), Decimal(5)), (Decimal("10.85"), Decimal("5.43")))
    ]
    convert_prices.apply(changes, at=AT, actor=None, looked_at=convert_prices.fingerprint(changes))

    price.refresh_from_db()
    assert (price.recurring, price.setup_fee) == (Decimal("10.85"), Decimal("5.43"))
    assert convert_prices.plan(["USD"]) == []


def test_prices_that_moved_since_the_look_are_left_alone():
    price = two_prices()
    looked_at = convert_prices.fingerprint(convert_prices.plan(["USD"]))
    ExchangeRate.objects.update(rate=Decimal("2"))

    with pytest.raises(PricesMoved, match="Please look again"):
        convert_prices.apply(convert_prices.plan(["USD"]), at=AT, actor=None, looked_at=looked_at)

    price.refresh_from_db()
    assert price.recurring == Decimal("10.00")


def test_prices_follow_a_feed_only_if_the_settings_say_so(feed):
    price = two_prices()
    exchange_rates.update(at=AT)
    price.refresh_from_db()
    assert price.recurring == Decimal("10.00")

    AutomationSettings.objects.create(pk=1, update_prices=True)
    feed[1] = FEED.replace(b"1.0800", b"1.1000")
    exchange_rates.update(at=AT)

    price.refresh_from_db()
    assert price.recurring == Decimal("11.00")


def test_staff_enter_a_rate_and_convert_prices_on_their_pages(admin_client):
    price = two_prices()
    make_client(currency="GBP")
    page = admin_client.get(reverse("staff:rates")).content.decode()
    assert "In use, but without a rate: GBP." in page

    admin_client.post(reverse("staff:rates"), {"currency": "GBP", "rate": "0.9"})
    assert rates() == {"GBP": "0.9", "USD": "1.085"}
    look = admin_client.get(reverse("staff:convert-prices"))
    assert "Change 1 price" in look.content.decode()
    admin_client.post(reverse("staff:convert-prices"), {"looked_at": look.context["looked_at"]})

    price.refresh_from_db()
    assert price.recurring == Decimal("10.85")
