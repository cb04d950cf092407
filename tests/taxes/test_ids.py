"""VAT ids by their shape alone."""

import pytest

from billing_portal.taxes import queries
from billing_portal.taxes.ids import MEMBER_STATES, VatId, example_of, read_vat_id
from tests.taxes.rows import make_tax_settings


def test_the_eu_has_27_members():
    assert len(MEMBER_STATES) == 27


@pytest.mark.parametrize("country", sorted(MEMBER_STATES))
def test_every_example_is_an_id_of_its_country(country):
    assert str(read_vat_id(example_of(country), country)) == example_of(country)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("u 1234.5678", "AT", VatId("AT", "U12345678")),
        ("ATU12345678", "AT", VatId("AT", "U12345678")),
        ("el 123 456 789", "GR", VatId("EL", "123456789")),
        ("GR123456789", "GR", VatId("EL", "123456789")),
        ("nl123456789b01", "NL", VatId("NL", "123456789B01")),
        ("SE5566778899-01", "SE", VatId("SE", "556677889901")),
        ("FR12345678901", "MC", VatId("FR", "12345678901")),
        ("ATU1234567", "AT", None),
        ("DE123456789", "AT", None),
        ("DE\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19", "DE", None),
        ("123456789", "US", None),
        ("", "DE", None),
    ],
)
def test_spaces_case_and_a_missing_prefix_do_not_matter(text, country, expected):
    assert read_vat_id(text, country) == expected


@pytest.mark.django_db
def test_nonsense_from_another_member_state_gets_a_sentence():
    make_tax_settings(eu_vat=True)

    assert queries.complaint("abc", country="FR") == (
        "This is not a VAT id of the country chosen; one looks like FR12345678901. "
        "Leave it empty if you have none."
    )
    assert queries.complaint("FR12345678901", country="FR") == ""
    assert queries.complaint("", country="FR") == ""


@pytest.mark.django_db
def test_numbers_of_tax_offices_elsewhere_are_taken_as_they_are():
    make_tax_settings(eu_vat=True)

    assert queries.complaint("12/345/67890", country="DE") == ""
    assert queries.complaint("94-1234567", country="US") == ""

    make_tax_settings(eu_vat=False)
    assert queries.complaint("abc", country="FR") == ""
