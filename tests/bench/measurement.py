"""One measured piece of work."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """`count` units of `unit` done in `seconds`; `note` says what else to know."""

    name: str
    count: int
    unit: str
    seconds: float
    note: str = ""

    @property
    def per_second(self) -> float:
        return self.count / self.seconds
