"""How far the portal's clock stands from the real one.  Only ever a row in a simulation."""

from typing import ClassVar

from django.db import models


class ClockOffset(models.Model):
    """One row, with `pk` 1: the portal's now is the real now plus `offset`."""

    offset = models.DurationField(help_text="Added to the real time.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_clock_offset"),
        ]

    def __str__(self) -> str:
        return f"real time {self.offset:+}"
