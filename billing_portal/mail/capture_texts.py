"""The mails about payments taken from stored methods, as shipped."""

from billing_portal.mail.wording import CLOSING, MailTemplate

CAPTURE_TEMPLATES: dict[str, MailTemplate] = {
    "capture_declined": MailTemplate(
        description="When the bank declined a payment for now.",
        category="invoices",
        subject="We could not take {{ amount }} for {{ number }}",
        text=(
            "Hello {{ client }},\n\nwe asked for {{ amount }} from {{ method }} to pay "
            "{{ number }}, and it was declined{% if why %}: {{ why }}{% else %}.{% endif %}\n\n"
            "{% if again %}We try again on {{ again }}. You can also pay at once, this way or "
            "another:{% else %}We do not try again by ourselves. Please pay it here, this way or "
            "another:{% endif %}" + CLOSING
        ),
    ),
    "capture_refused": MailTemplate(
        description="When the bank refuses a stored payment method for good.",
        category="invoices",
        subject="{{ method }} was refused: please pay {{ number }} another way",
        text=(
            "Hello {{ client }},\n\nwe asked for {{ amount }} from {{ method }} to pay "
            "{{ number }}, and the bank refused it for good"
            "{% if why %}: {{ why }}{% else %}.{% endif %}\n\nWe do not use it any more. Please "
            "pay here, and add another payment method for your next invoices:" + CLOSING
        ),
    ),
    "card_expires": MailTemplate(
        description="Once, in the month before a stored card expires.",
        category="invoices",
        subject="{{ method }} works only until {{ last_day }}",
        text=(
            "Hello {{ client }},\n\n{{ method }}, from which we take your payments, works only "
            "until {{ last_day }}. Please add its successor, so that your invoices stay paid:"
            + CLOSING
        ),
    ),
}
