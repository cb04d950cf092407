"""One measured piece of work."""

from dataclasses import dataclass
from typing import Any


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


class StatementCounter:
    """Counts statements: `with connection.execute_wrapper(counter := StatementCounter()):`."""

    def __init__(self) -> None:
        self.statements = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.statements += 1
        return execute(sql, params, many, context)
