"""Tariffs in the database, and the command that replaces one from a file."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from pbx import tariffs
from pbx.models import Call, Tariff
from pbx.rating import Rate
from tests.factories import AT, make_service, utc

GERMANY = Rate("49", "Germany", Decimal("0.012"), 60)
HAMBURG = Rate("4940", "Hamburg", Decimal("0.01"), 6, 30, Decimal("0.05"))
FRANCE = Rate("33", "France", Decimal("0.015"), 1)

HEADER = "prefix,description,rate_per_minute,increment_s,initial_increment_s,connection_fee\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tariff.csv"
    path.write_text(HEADER + "49,Germany,0.012,60,,\n4940,Hamburg,0.01,6,30,0.05\n")
    return path


def prefixes(slug="standard", currency="EUR"):
    return [rate.prefix for rate in tariffs.stored_rates(slug, currency)]


@pytest.mark.django_db
def test_a_tariff_holds_exactly_what_was_given_last():
    tariffs.replace("standard", "EUR", [GERMANY, HAMBURG], name="Standard", at=AT)
    dearer = Rate("49", "Germany", Decimal("0.013"), 60)

    change = tariffs.replace("standard", "EUR", [dearer, FRANCE], name="", at=AT)

    assert (change.added, change.changed, change.removed) == (["33"], ["49"], ["4940"])
    assert tariffs.stored_rates("standard", "EUR") == [FRANCE, dearer]
    assert Tariff.objects.get().name == "Standard"


@pytest.mark.django_db
def test_the_same_rates_again_change_nothing():
    tariffs.replace("standard", "EUR", [GERMANY, HAMBURG], name="Standard", at=AT)

    change = tariffs.replace("standard", "EUR", [HAMBURG, GERMANY], name="x", at=utc(2027, 1, 1))

    assert (change.is_empty, change.unchanged) == (True, 2)
    assert Tariff.objects.get().imported_at == AT


@pytest.mark.django_db
def test_one_slug_may_have_a_tariff_per_currency():
    tariffs.replace("standard", "EUR", [GERMANY], name="Standard", at=AT)
    tariffs.replace("standard", "USD", [FRANCE], name="Standard", at=AT)

    assert (prefixes(currency="EUR"), prefixes(currency="USD")) == (["49"], ["33"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rate",
    [
        Rate("49", "", Decimal("0.0000001"), 60),
        Rate("49", "", Decimal("123456789"), 60),
        Rate("49", "", Decimal(1), 60, None, Decimal("0.1234567")),
        Rate("4" * 21, "", Decimal(1), 60),
        Rate("49", "x" * 121, Decimal(1), 60),
    ],
)
def test_a_rate_that_would_not_be_kept_exactly_is_refused(rate):
    with pytest.raises(tariffs.RateDoesNotFit):
        tariffs.replace("standard", "EUR", [GERMANY, rate], name="", at=AT)

    assert Tariff.objects.count() == 0


@pytest.mark.django_db
def test_a_service_is_rated_by_its_products_tariff_in_its_own_currency(tariff, product):
    book = tariffs.TariffBook()
    euros = make_service(product=product)
    dollars = make_service(product=product, currency="USD")
    call = {"direction": "outbound", "leg": "a", "billsec": 6, "hangup_cause": ""}

    outcomes = [
        book.rater_for(service).rate(destination="4940123456", **call)
        for service in (euros, dollars, None)
    ]

    assert [(one.rating, one.amount_micros) for one in outcomes] == [
        (Call.Rating.RATED, 1000),
        (Call.Rating.UNRATED, None),
        (Call.Rating.UNRATED, None),
    ]
    assert [one.explanation["rule"] for one in outcomes] == ["prefix", "no_tariff", "no_service"]


@pytest.mark.django_db
def test_a_tariff_is_read_once_however_many_services_use_it(
    tariff, product, django_assert_num_queries
):
    services = [make_service(product=product) for _ in range(5)]
    book = tariffs.TariffBook()

    with django_assert_num_queries(2):
        for service in services:
            book.rater_for(service)


# --- The command ---


@pytest.mark.django_db
def test_the_command_imports_a_file(file, capsys):
    call_command("import_tariff", file=str(file), slug="standard", currency="EUR")

    assert capsys.readouterr().out == "+ 49\n+ 4940\n2 added, 0 changed, 0 removed, 0 as before\n"
    assert tariffs.stored_rates("standard", "EUR") == [GERMANY, HAMBURG]


@pytest.mark.django_db
def test_a_dry_run_shows_the_change_and_makes_none(file, capsys):
    tariffs.replace("standard", "EUR", [FRANCE, HAMBURG], name="Standard", at=AT)

    call_command("import_tariff", file=str(file), slug="standard", currency="EUR", dry_run=True)

    assert capsys.readouterr().out == "+ 49\n- 33\n1 added, 0 changed, 1 removed, 1 as before\n"
    assert prefixes() == ["33", "4940"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEADER, "has no rates"),
        (HEADER + "49,Germany,0.012,60,,\n49,Germany,0.012,60,,\n", "line 3: prefix 49 is already"),
        (HEADER + "49,Germany,-1,60,,\n", "line 2: rate_per_minute must be"),
        (HEADER + "49,Germany,0.0123456789,60,,\n", "more than 6 decimals"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_whole(file, text, complaint):
    file.write_text(text)

    with pytest.raises(CommandError, match=complaint):
        call_command("import_tariff", file=str(file), slug="standard", currency="EUR")

    assert Tariff.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("slug", "currency", "complaint"),
    [("two words", "EUR", "is no slug"), ("standard", "euro", "is not a currency code")],
)
def test_a_wrong_slug_or_currency_is_refused(file, slug, currency, complaint):
    with pytest.raises(CommandError, match=complaint):
        call_command("import_tariff", file=str(file), slug=slug, currency=currency)

    assert Tariff.objects.count() == 0


@pytest.mark.django_db
def test_the_demo_tariff_can_be_imported():
    call_command(
        "import_tariff", file="pbx/demo_tariff.csv", slug="standard", currency="EUR", verbosity=0
    )

    assert len(prefixes()) == 44
