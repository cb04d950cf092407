"""Cards that are about to expire: one mail each, from a day of the month before on.

        25 Nov                 31 Dec | 1 Jan
--------told----the last month--------|--expired, no longer tried
"""

from datetime import date, timedelta

from django.db.models import Q

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.periods import add_months
from billing_portal.clients.notices import notify
from billing_portal.payments import methods
from billing_portal.payments.models import StoredMethod

ACTIVE = StoredMethod.Status.ACTIVE


def methods_to_tell(on: BusinessDay) -> list[int]:
    """Ids of the active methods that expired, or that expire soon and nobody was told."""
    over = Q(expires_on__lte=on.today)
    soon = Q(expires_on__lte=_limit(on), expiry_told_on=None)
    found = StoredMethod.objects.filter(over | soon, status=ACTIVE)
    return list(found.order_by("pk").values_list("pk", flat=True))


def tell(method_id: int, on: BusinessDay) -> Deed | None:
    """Close an expired method, or write to its client, in the caller's transaction."""
    client, method = methods.locked(method_id)
    if method.status != ACTIVE or method.expires_on is None:
        return None
    if method.expires_on <= on.today:
        methods.expire(method, at=on.at)
        return Deed(f"{method} of {client} has expired and is no longer charged")
    if method.expiry_told_on or method.expires_on > _limit(on):
        return None
    last_day = method.expires_on - timedelta(days=1)
    context = {"method": str(method), "last_day": last_day.isoformat(), "path": "/payment-methods/"}
    notify(client, "card_expires", key=str(method.pk), context=context, at=on.at)
    methods.note_told(method, on=on.day, at=on.at)
    return Deed(f"{client} told that {method} works only until {last_day}")


def _limit(on: BusinessDay) -> date:
    """Methods that no longer work on this day, or before it, are to be told of.

    On 25 November: 1 January, so cards that end with December.  On the 24th: 1 December.
    """
    first = on.day.replace(day=1)
    months = 2 if on.day.day >= on.rules.card_expiry_day else 1
    return add_months(first, months, anchor_day=1)
