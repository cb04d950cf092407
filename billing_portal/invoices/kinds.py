"""What a line is for, as it is stored; `calc.invoice` has the same words."""

from django.db import models


class LineKind(models.TextChoices):
    """What a line is for, in the order lines of one service are printed."""

    SETUP = "setup", "Set-up"
    RECURRING = "recurring", "Recurring"
    DISCOUNT = "discount", "Discount"
    UPGRADE = "upgrade", "Change"
    USAGE = "usage", "Usage"
    ITEM = "item", "Item"
    LATE_FEE = "late_fee", "Late fee"
