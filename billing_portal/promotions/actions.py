"""Counting the uses of promotions, under the row's lock."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.promotions.models import Promotion


def locked(promotion: Promotion) -> Promotion:
    """The promotion as it is now, its row locked until the transaction ends.

    Whether it may be used is judged on this row, so its last use is had by one order.
    """
    return Promotion.objects.select_for_update(no_key=True).get(pk=promotion.pk)


def count_use(promotion: Promotion) -> None:
    """Count one more use of a promotion the caller has locked and found usable."""
    Promotion.objects.filter(pk=promotion.pk).update(uses=F("uses") + 1)


def give_back(code: str) -> None:
    """Take back one use of a code, if it still exists; the order it was for is cancelled."""
    Promotion.objects.filter(code=code, uses__gt=0).update(uses=F("uses") - 1)


def end(promotion_id: int, *, at: datetime, actor: User | None) -> None:
    """Let nobody use it from now on; what was ordered with it keeps its discount."""
    with transaction.atomic():
        promotion = Promotion.objects.select_for_update(no_key=True).get(pk=promotion_id)
        if promotion.ends_at and promotion.ends_at <= at:
            return
        promotion.ends_at = at
        if promotion.starts_at and promotion.starts_at > at:
            promotion.starts_at = at
        promotion.save(update_fields=["starts_at", "ends_at"])
        audit.record(
            "promotion.ended", promotion, summary=f"Promotion {promotion} ended", at=at, actor=actor
        )
