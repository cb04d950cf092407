"""Brackets as staff write them."""

import pytest

from billing_portal.calc.tiers import BadTiers
from billing_portal.products.metering import tiers_as_text, tiers_from_text

TEXT = "1000: 0.020\n5000: 0.015\n0.010"
ROWS = [
    {"up_to": "1000", "price": "0.020"},
    {"up_to": "5000", "price": "0.015"},
    {"price": "0.010"},
]


def test_a_line_is_a_bracket_and_the_last_has_no_end():
    assert tiers_from_text(TEXT) == ROWS
    assert tiers_from_text(f"\n {TEXT} \n\n") == ROWS
    assert tiers_as_text(ROWS) == TEXT


@pytest.mark.parametrize("text", ["", "1000: 0.02", "ten: 1\n2", "0.02\n0.01", "1000; 0.02\n1"])
def test_what_is_no_bracket_is_refused_with_a_sentence(text):
    with pytest.raises(BadTiers, match=r"\.$"):
        tiers_from_text(text)
