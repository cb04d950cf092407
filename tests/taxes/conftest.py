"""Sellers under different laws, and a register to ask."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing_portal.taxes.models import TaxSettings
from tests.taxes import register as fake
from tests.taxes.register import Register
from tests.taxes.rows import make_tax_rule, make_tax_settings


@pytest.fixture
def german(db: None) -> TaxSettings:
    """A seller in Germany under EU rules, registered in France too."""
    make_tax_rule("VAT", "19", country="DE")
    make_tax_rule("VAT", "20", country="FR")
    return make_tax_settings(eu_vat=True)


@pytest.fixture
def register(settings: Any) -> Iterator[Register]:
    with fake.running() as found:
        settings.VIES_URL = found.url
        yield found
