"""Telephone numbers as the digits a tariff is keyed by.

Pure: text in, text out.
"""

from billing_portal.errors import PortalError

_PUNCTUATION = str.maketrans("", "", " .-()")


class NotANumber(PortalError):
    """The text is not a telephone number."""


def e164_digits(text: str) -> str:
    """The digits of a number in international form: "+44 (20) 7946-0000" is "442079460000".

    Drops one leading +, spaces, dots, dashes and parentheses.  Raises NotANumber if
    anything else is in it, or nothing is left.
    """
    digits = text
    if not _all_digits(digits):
        digits = text.translate(_PUNCTUATION).removeprefix("+")
    if not _all_digits(digits):
        raise NotANumber(f"{text!r} is not a telephone number in international form.")
    return digits


def _all_digits(text: str) -> bool:
    # isdigit alone is also true of digits no telephone has, such as superscripts.
    return text.isascii() and text.isdigit()
