"""The paper of a mail that delivers a quote; `MAIL_PAPERS` names this function."""

from billing_portal.mail.papers import Paper
from billing_portal.quotes.models import Quote
from billing_portal.quotes.pdf import quote_pdf


def quote_papers(key: str) -> list[Paper]:
    """The quote as a PDF.  `key` begins with its id: a quote may be mailed again."""
    quote = Quote.objects.select_related("client").get(pk=int(key.partition(":")[0]))
    return [Paper(f"{quote.number}.pdf", quote_pdf(quote))]
