"""Telephone numbers become the digits a tariff is keyed by."""

import pytest

from pbx.numbers import NotANumber, e164_digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("442079460000", "442079460000"),
        ("+442079460000", "442079460000"),
        ("+44 (20) 7946-0000", "442079460000"),
        ("+44.20.7946.0000", "442079460000"),
        (" +44 20 7946 0000 ", "442079460000"),
        ("(+44) 20 7946 0000", "442079460000"),
        ("112", "112"),
    ],
)
def test_a_number_is_its_digits(text, digits):
    assert e164_digits(text) == digits


@pytest.mark.parametrize(
    "text", ["", "+", " ", "()", "*97", "#72", "++44", "44+20", "anonymous", "44²", "٤٤", "4e5"]
)
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(NotANumber) as refusal:
        e164_digits(text)

    assert str(refusal.value) == f"{text!r} is not a telephone number in international form."
