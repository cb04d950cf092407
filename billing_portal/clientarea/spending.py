"""What the page of a service says about its running month: how much of which limit is used."""

from dataclasses import dataclass
from datetime import datetime

from billing_portal.services.forms import CapForm
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED
from billing_portal.workflows.running_usage import RunningUsage, month_of
from billing_portal.workflows.usage_alerts import Limit, limits_of


@dataclass(frozen=True, slots=True)
class Spending:
    """The month, its limits with how far they are used, and the form that caps it."""

    month: RunningUsage
    limits: list[Limit]
    days_left: int
    form: CapForm


def spending(service: Service, *, at: datetime, form: CapForm | None = None) -> Spending | None:
    """None for what bills no usage, does not run, or cannot be read."""
    if service.status in ENDED:
        return None
    month = month_of(service, at=at)
    if month is None:
        return None
    shown = form or CapForm(currency=service.currency, cap=service.usage_cap)
    return Spending(month, list(limits_of(month)), month.days_left(at), shown)
