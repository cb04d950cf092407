"""Gapless numbers, one series per year."""

import pytest
from django.db import transaction

from billing_portal.invoices.models import NumberSeries
from billing_portal.invoices.numbering import take_number


def take(year=2026, prefix="INV"):
    with transaction.atomic():
        return take_number(prefix, year=year)


@pytest.mark.django_db
def test_numbers_follow_each_other():
    assert [take(), take(), take()] == ["INV-2026-00001", "INV-2026-00002", "INV-2026-00003"]


@pytest.mark.django_db
def test_each_year_and_each_prefix_counts_for_itself():
    taken = [take(2026), take(2027), take(2026), take(2026, "CN")]

    assert taken == ["INV-2026-00001", "INV-2027-00001", "INV-2026-00002", "CN-2026-00001"]


@pytest.mark.django_db
def test_the_hundred_thousandth_is_not_cut():
    take()
    NumberSeries.objects.update(next_number=100_000)

    assert take() == "INV-2026-100000"


@pytest.mark.django_db
def test_a_number_that_was_not_used_is_given_again():
    take()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        take_number("INV", year=2026)
        raise ZeroDivisionError

    assert take() == "INV-2026-00002"


@pytest.mark.django_db(transaction=True)
def test_a_number_is_only_taken_with_what_it_is_for():
    with pytest.raises(RuntimeError, match="in the transaction that uses it"):
        take_number("INV", year=2026)

    assert not NumberSeries.objects.exists()


@pytest.mark.django_db
def test_taking_a_number_costs_two_statements(django_assert_num_queries):
    take()

    with transaction.atomic(), django_assert_num_queries(2):
        take_number("INV", year=2026)
