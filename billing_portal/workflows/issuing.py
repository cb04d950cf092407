"""Issuing: a draft becomes an invoice, and what the client has in credit pays it."""

from collections.abc import Sequence
from datetime import datetime

from billing_portal.accounts.models import User
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.clients.models import Client
from billing_portal.invoices import actions as invoices
from billing_portal.invoices.models import Invoice


def issue(
    client: Client, draft: DraftInvoice, *, at: datetime, actor: User | None = None
) -> Invoice:
    """Issue one draft, as `issue_all` does."""
    (invoice,) = issue_all([(client, draft)], at=at, actor=actor)
    return invoice


def issue_all(
    drafts: Sequence[tuple[Client, DraftInvoice]], *, at: datetime, actor: User | None = None
) -> list[Invoice]:
    """Issue every draft to its client, in one transaction.  The clients are locked."""
    return invoices.issue_all(drafts, at=at, actor=actor)
