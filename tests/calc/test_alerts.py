"""Which step of a limit a client is told of."""

from decimal import Decimal
from fractions import Fraction

import pytest

from billing_portal.calc.alerts import step_reached, step_to_tell, whole_percent


@pytest.mark.parametrize(
    ("used", "step"),
    [
        ("0", 0),
        ("-3", 0),
        ("249.999999", 0),
        ("250", 50),
        ("399.999999", 50),
        ("400", 80),
        ("499.999999", 80),
        ("500", 100),
        ("1200", 100),
    ],
)
def test_a_step_is_reached_exactly_at_its_share(used, step):
    assert step_reached(Decimal(used), Decimal(500)) == step


@pytest.mark.parametrize(
    ("used", "told", "tell"),
    [
        ("400", [], 80),  # not 50 and 80
        ("400", [50], 80),
        ("400", [80], None),
        ("400", [100], None),  # it shrank meanwhile
        ("300", [80], None),
        ("600", [80], 100),
        ("600", [50, 80, 100], None),
        ("100", [], None),
    ],
)
def test_only_the_highest_step_that_is_new_is_told(used, told, tell):
    assert step_to_tell(Decimal(used), Decimal(500), told=told) == tell


def test_a_percentage_is_rounded_down_so_that_100_means_all():
    assert whole_percent(Decimal("499.99"), Decimal(500)) == 99
    assert whole_percent(Decimal("8.61"), Decimal("10.00")) == 86
    assert whole_percent(Fraction(1, 3), Decimal(1)) == 33


def test_a_limit_of_nothing_is_no_limit():
    with pytest.raises(ValueError, match="limit of 0"):
        step_reached(Decimal(1), Decimal(0))
