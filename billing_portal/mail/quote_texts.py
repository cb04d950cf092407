"""The mails about quotes, as shipped."""

from billing_portal.mail.wording import CLOSING, MailTemplate

QUOTE_TEMPLATES: dict[str, MailTemplate] = {
    "quote_delivered": MailTemplate(
        description="With every quote, and when it is mailed again.",
        category="invoices",
        subject="Our offer {{ number }}: {{ subject }}",
        text=(
            "Hello {{ client }},\n\nhere is our offer {{ number }}, {{ subject }}, over "
            "{{ total }}. It is valid until {{ valid_until }}.\n\nYou can read it, keep it as a "
            "PDF, and accept or decline it here:" + CLOSING
        ),
    ),
    "quote_decided_staff": MailTemplate(
        description="To staff: a quote was accepted or declined.",
        category="staff",
        subject="Quote {{ number }} of {{ client }}: {{ outcome }}",
        text=(
            "{{ client }} has decided on quote {{ number }}, {{ subject }}, over {{ total }}: "
            "{{ outcome }}." + CLOSING
        ),
    ),
}
