"""The life of a quote: which stage may follow which.  An expired one is still delivered."""

from billing_portal.quotes.models import Quote

Stage = Quote.Stage

TRANSITIONS: dict[Quote.Stage, frozenset[Quote.Stage]] = {
    Stage.DRAFT: frozenset({Stage.DELIVERED, Stage.ON_HOLD, Stage.DEAD}),
    Stage.DELIVERED: frozenset(
        {Stage.ACCEPTED, Stage.LOST, Stage.ON_HOLD, Stage.DRAFT, Stage.DEAD}
    ),
    Stage.ON_HOLD: frozenset({Stage.DRAFT, Stage.DELIVERED, Stage.LOST, Stage.DEAD}),
    Stage.ACCEPTED: frozenset(),
    Stage.LOST: frozenset(),
    Stage.DEAD: frozenset(),
}

BY_HAND = (Stage.DRAFT, Stage.ON_HOLD, Stage.ACCEPTED, Stage.LOST, Stage.DEAD)
"""Where staff may put a quote themselves; delivering it is a mail."""
CHANGEABLE = (Stage.DRAFT, Stage.ON_HOLD)
"""Stages in which the offer itself may still change."""
HIDDEN = (Stage.DRAFT, Stage.ON_HOLD, Stage.DEAD)
"""Stages no client sees."""
