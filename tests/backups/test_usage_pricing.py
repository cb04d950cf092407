"""Storage with included units and brackets: what a month costs, and how it is explained."""

from decimal import Decimal

import pytest

from billing_portal.invoices.evidence import explain
from tests.backups.metering import usage_of
from tests.backups.test_usage import NOVEMBER, hours, make_datastore, make_storage
from tests.factories import make_charge

pytestmark = pytest.mark.django_db

BRACKETS = [
    {"up_to": "500", "price": "10.00"},
    {"up_to": "2000", "price": "8.00"},
    {"price": "6.00"},
]


def agree(service, **terms):
    service.usage_prices.update(**terms)
    return service


def usage(service):
    (found,) = usage_of(service.pk, NOVEMBER)
    return found


def test_included_storage_is_taken_off_the_average_of_the_month():
    """620,000 GB-h in 720 h are 861.11 GB; beyond 500 GB that is 361.11 at 10.00 per 1000."""
    service = agree(make_storage(), included=Decimal(500))
    make_datastore(service, (hours(0), 500), (hours(200), 1000))

    assert (usage(service).amount, usage(service).unit_price) == (Decimal("3.61"), None)
    assert usage(service).quantity == Decimal("861.111111")
    assert usage(service).evidence["brackets"] == [
        {"gb": "361.111111", "price_per_1000gb": "10", "amount": "3.611111"}
    ]
    shares = [segment["amount"] for segment in usage(service).evidence["segments"]]
    assert shares == ["0.58", "3.03"]


def test_what_is_all_included_costs_nothing_and_is_still_explained():
    service = agree(make_storage(), included=Decimal(1000))
    make_datastore(service, (hours(0), 1000))

    assert usage(service).amount == Decimal("0.00")
    assert usage(service).evidence["included_gb"] == "1000"
    assert usage(service).evidence["brackets"] == []


@pytest.mark.parametrize(
    ("scheme", "size_gb", "amount"),
    [
        ("graduated", 500, "5.00"),
        ("graduated", 3000, "23.00"),  # 500 at 10, 1500 at 8, 1000 at 6
        ("volume", 500, "5.00"),
        ("volume", 501, "4.01"),  # all of it at 8: a cliff
        ("volume", 3000, "18.00"),
    ],
)
def test_brackets_price_the_average_of_the_month(scheme, size_gb, amount):
    service = agree(make_storage(), scheme=scheme, tiers=BRACKETS)
    make_datastore(service, (hours(0), size_gb))

    assert usage(service).amount == Decimal(amount)


def test_the_invoice_says_what_each_bracket_cost():
    service = agree(make_storage(), scheme="graduated", tiers=BRACKETS, included=Decimal(100))
    make_datastore(service, (hours(0), 3000))
    charge = make_charge(service, evidence=usage(service).evidence, amount=usage(service).amount)

    explained = explain(charge)

    assert explained is not None
    assert list(explained.notes) == [
        "Average of 3,000 GB over 720 hours.",
        "100 GB are included and cost nothing.",
        "500 GB at €10.00 per 1,000 GB: €5.00.",
        "1,500 GB at €8.00 per 1,000 GB: €12.00.",
        "900 GB at €6.00 per 1,000 GB: €5.40.",
    ]
