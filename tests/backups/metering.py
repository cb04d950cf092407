"""Asks the storage meter about one service."""

from backups.usage import collect_usage
from billing_portal.calc.periods import Period
from provisioning.contract import Usage


def usage_of(service_id: int, period: Period) -> list[Usage]:
    return collect_usage({service_id: period})[service_id]
