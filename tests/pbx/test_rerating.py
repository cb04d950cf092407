"""Pricing again what had no price."""

import pytest
from django.core.management import CommandError, call_command

from pbx import rerating
from pbx.models import Call
from tests.factories import make_service
from tests.pbx.call_rows import make_call, make_free, make_unrated

pytestmark = pytest.mark.usefixtures("tariff")


def test_calls_get_the_price_they_lacked(server, service):
    make_unrated(server, service)
    make_unrated(server, service, destination="33123456789")

    report = rerating.rerate()

    assert report == rerating.RerateReport(priced=1, unrated=1)
    found = Call.objects.order_by("pk").values_list(
        "rating", "prefix", "billed_s", "amount_micros", "explanation__rule"
    )
    assert list(found) == [
        ("rated", "4940", 66, 11000, "prefix"),
        ("unrated", "", 0, None, "no_prefix"),
    ]


def test_what_has_a_price_keeps_it(server, service):
    make_call(server, service, amount_micros=99)
    make_free(server, service)
    make_unrated(server, None)
    before = list(Call.objects.order_by("pk").values())

    report = rerating.rerate()

    assert report == rerating.RerateReport()
    assert list(Call.objects.order_by("pk").values()) == before


def test_one_service_can_be_done_alone(server, service):
    other = make_unrated(server, make_service(product=service.product))
    make_unrated(server, service)

    assert rerating.rerate(service_id=service.pk).priced == 1
    assert list(Call.objects.filter(rating="unrated")) == [other]


def test_batches_reach_every_call_once(server, service, monkeypatch):
    monkeypatch.setattr(rerating, "BATCH", 2)
    destinations = ["4940123456", "33123456789", "33123456789", "33123456789", "4930123456"]
    for destination in destinations:
        make_unrated(server, service, destination=destination)
    told = []

    report = rerating.rerate(tell=lambda call: told.append(call.destination))

    assert (report.priced, report.unrated) == (2, 3)
    assert told == destinations


def test_the_command_says_what_it_did_and_a_dry_run_does_nothing(server, service, capsys):
    make_unrated(server, service)
    make_unrated(server, service, destination="*97")

    call_command("rerate_calls", dry_run=True)
    dry, untouched = capsys.readouterr().out, Call.objects.filter(rating="unrated").count()
    call_command("rerate_calls")

    assert untouched == 2
    assert dry == capsys.readouterr().out
    assert dry == (
        f"service {service.pk}, 2026-03-10 12:00, 4940123456: 0.011000 for 66 s."
        " Tariff standard: 0.010000 a minute, at least 6 s, in steps of 6 s,"
        " 0.000000 per call.\n"
        f"service {service.pk}, 2026-03-10 12:00, *97: no price."
        " What was dialled is no telephone number.\n"
        "1 priced, 1 still without a price\n"
    )
    assert Call.objects.filter(rating="unrated").count() == 1


def test_an_unknown_service_is_named():
    with pytest.raises(CommandError, match="there is no service 999"):
        call_command("rerate_calls", service=999)
