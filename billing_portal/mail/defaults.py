"""The mails the portal sends, as shipped.  Staff edit the rows made from them."""

from billing_portal.mail.capture_texts import CAPTURE_TEMPLATES
from billing_portal.mail.quote_texts import QUOTE_TEMPLATES
from billing_portal.mail.service_texts import SERVICE_TEMPLATES
from billing_portal.mail.wording import CLOSING, MailTemplate

_ITS_TITLE = "{{ document|default:'Invoice' }}"
_ITS_NAME = "{{ document|default:'invoice'|lower }}"
"""A document may be a proforma."""

DEFAULT_TEMPLATES: dict[str, MailTemplate] = {
    "order_placed": MailTemplate(
        description="After an order: what was ordered and what happens next.",
        category="invoices",
        subject="We have your order {{ order }}",
        text=(
            "Hello {{ client }},\n\nthank you for your order {{ order }}: {{ items }}.\n\n"
            "{{ next_step }}" + CLOSING
        ),
    ),
    "invoice_issued": MailTemplate(
        description="With every new invoice.",
        category="invoices",
        subject=(
            _ITS_TITLE + " {{ number }}: {{ total }}"
            "{% if is_paid %}, paid{% else %}, due {{ due_date }}{% endif %}"
        ),
        text=(
            "Hello {{ client }},\n\nyour " + _ITS_NAME + " {{ number }} over {{ total }} is ready. "
            "{{ to_pay }}\n\nYou can see every line{% if not is_paid %} and pay it{% endif %} here:"
            + CLOSING
        ),
    ),
    "payment_received": MailTemplate(
        description="When a payment has arrived.",
        category="invoices",
        subject="We received your payment of {{ amount }}",
        text=(
            "Hello {{ client }},\n\nthank you. Your payment of {{ amount }}"
            "{% if number %} for invoice {{ number }}{% endif %} has arrived. {{ balance }}"
            + CLOSING
        ),
    ),
    "credit_note_issued": MailTemplate(
        description="When an invoice was corrected by a credit note.",
        category="invoices",
        subject="Credit note {{ note }} for invoice {{ number }}: {{ total }}",
        text=(
            "Hello {{ client }},\n\nwe have corrected your invoice {{ number }} by {{ total }} "
            "with the credit note {{ note }}: {{ reason }}\n\n{{ what_follows }}" + CLOSING
        ),
    ),
    "payment_refunded": MailTemplate(
        description="When money was sent back.",
        category="invoices",
        subject="We have sent you {{ amount }} back",
        text=(
            "Hello {{ client }},\n\nwe have sent you {{ amount }} of your payment {{ payment }} "
            "back: {{ reason }}\n\nIt may take some days until you see it on your account."
            + CLOSING
        ),
    ),
    "payment_reversed": MailTemplate(
        description="When the payer's bank took a payment back.",
        category="invoices",
        subject="Your payment of {{ amount }} was taken back",
        text=(
            "Hello {{ client }},\n\nyour bank has taken your payment {{ payment }} of {{ amount }} "
            "back.{% if numbers %} What it paid is owed again: {{ numbers }}.{% endif %}\n\nIf "
            "this is a mistake, please pay again or write to us:" + CLOSING
        ),
    ),
    "payment_reversed_staff": MailTemplate(
        description="To staff: a payer's bank took a payment back.",
        category="staff",
        subject="{{ amount }} of {{ client }} taken back",
        text=(
            "The payment {{ payment }} of {{ client }} over {{ amount }} was taken back by the "
            "payer's bank: {{ reason }}\n\n{% if numbers %}In collections now: {{ numbers }}."
            "{% else %}No invoice is open because of it.{% endif %}" + CLOSING
        ),
    ),
    "service_active": MailTemplate(
        description="When a service is ready to use.  Never holds credentials.",
        category="services",
        subject="{{ service }} is ready",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} ({{ summary }}) is active.\n\n"
            "The log-in details are on its page, where you can reveal and copy them:" + CLOSING
        ),
    ),
    "datastore_beyond_limit": MailTemplate(
        description="When autoscaling made a datastore larger than its product sells.",
        category="services",
        subject="{{ service }} has grown to {{ size_gb }} GB",
        text=(
            "Hello {{ client }},\n\nyour datastore {{ service }} has grown by itself to "
            "{{ size_gb }} GB, beyond the {{ limit_gb }} GB of your product. Every size is billed "
            "for the hours it stands.\n\n"
            "{% if stops %}Autoscaling is being switched off, so it grows no further.{% else %}It "
            "may grow further. You can switch autoscaling off, keep fewer backups or ask us for a "
            "larger product.{% endif %}" + CLOSING
        ),
    ),
    "datastore_beyond_limit_staff": MailTemplate(
        description="To staff: a datastore is larger than its product sells.",
        category="staff",
        subject="{{ service }} of {{ client }} has grown to {{ size_gb }} GB",
        text=(
            "{{ service }} of {{ client }} has {{ size_gb }} GB; its product sells {{ limit_gb }} "
            "GB. {% if stops %}Autoscaling is being switched off.{% else %}Nothing was changed."
            "{% endif %}" + CLOSING
        ),
    ),
    "datastore_filling": MailTemplate(
        description="When a datastore is 80, 90 or 95 % full.",
        category="services",
        subject="{{ service }} is {{ percent }} % full",
        text=(
            "Hello {{ client }},\n\nyour datastore {{ service }} uses {{ used_gb }} GB of "
            "{{ size_gb }} GB, {{ percent }} %. When it is full, backups fail.\n\n"
            "{% if autoscales %}It grows by itself, but not fast enough just now.{% else %}It does "
            "not grow by itself.{% endif %} You can make it larger, keep fewer backups or switch "
            "autoscaling on, each with its price before you confirm:" + CLOSING
        ),
    ),
    "service_suspended": MailTemplate(
        description="When a service was suspended.",
        category="services",
        subject="{{ service }} is suspended",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} is suspended"
            "{% if reason %}: {{ reason }}{% endif %}.\n\n"
            "Nothing was deleted." + CLOSING
        ),
    ),
    "service_unsuspended": MailTemplate(
        description="When a suspended service is back.",
        category="services",
        subject="{{ service }} is back",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} is no longer suspended. "
            "Everything is as it was." + CLOSING
        ),
    ),
    "order_cancelled": MailTemplate(
        description="When an order nobody paid for was cancelled.",
        category="invoices",
        subject="Your order {{ order }} was cancelled",
        text=(
            "Hello {{ client }},\n\nwe cancelled your order {{ order }}, because its invoice "
            "{{ number }} was due on {{ due_date }} and nothing was paid. You owe nothing, and "
            "are welcome to order again." + CLOSING
        ),
    ),
    "reminder_before_due": MailTemplate(
        description="Some days before an unpaid invoice is due.",
        category="invoices",
        subject=_ITS_TITLE + " {{ number }} is due on {{ due_date }}",
        text=(
            "Hello {{ client }},\n\na reminder ahead of time: {{ balance }} of invoice "
            "{{ number }} are due on {{ due_date }}. If you have paid already, thank you." + CLOSING
        ),
    ),
    "reminder_overdue_first": MailTemplate(
        description="The first reminder after the due date.",
        category="invoices",
        subject=_ITS_TITLE + " {{ number }} was due on {{ due_date }}",
        text=(
            "Hello {{ client }},\n\n" + _ITS_NAME + " {{ number }} was due on {{ due_date }}, and "
            "{{ balance }} are still open. Perhaps it slipped through. {{ consequence }}\n\n"
            "You can see and pay it here:" + CLOSING
        ),
    ),
    "reminder_overdue_second": MailTemplate(
        description="The second reminder after the due date.",
        category="invoices",
        subject="Second reminder: "
        + _ITS_NAME
        + " {{ number }} is {{ days_overdue }} days overdue",
        text=(
            "Hello {{ client }},\n\n"
            + _ITS_NAME
            + " {{ number }} is {{ days_overdue }} days overdue. "
            "{{ balance }} are still open since {{ due_date }}. {{ consequence }}\n\n"
            "Please pay it here, or tell us what stands in the way:" + CLOSING
        ),
    ),
    "reminder_overdue_third": MailTemplate(
        description="The third and last reminder after the due date.",
        category="invoices",
        subject="Last reminder: " + _ITS_NAME + " {{ number }} is {{ days_overdue }} days overdue",
        text=(
            "Hello {{ client }},\n\nthis is our last reminder of invoice {{ number }}. "
            "{{ balance }} have been open since {{ due_date }}, for {{ days_overdue }} days. "
            "{{ consequence }}\n\nPlease pay it here, or tell us what stands in the way:" + CLOSING
        ),
    ),
    "term_notice": MailTemplate(
        description="A week before a trial or fixed term is over.",
        category="services",
        subject="{{ service }} ends on {{ ends_on }}",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} was agreed until {{ ends_on }} and "
            "ends by itself on that day.{% if loses_data %} Everything in it will be deleted "
            "then, so please take a copy of what you need.{% endif %}\n\n"
            "To keep it, write to us before that day. Your service:" + CLOSING
        ),
    ),
    "term_last_notice": MailTemplate(
        description="The day before a trial or fixed term is over.",
        category="services",
        subject="Last notice: {{ service }} ends on {{ ends_on }}",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} ends on {{ ends_on }}."
            "{% if loses_data %} Everything in it will be deleted on that day. That cannot be "
            "taken back.{% endif %}\n\nIf you still need it, write to us today:" + CLOSING
        ),
    ),
    "service_completed": MailTemplate(
        description="When a service has run for the number of periods it was sold for.",
        category="services",
        subject="{{ service }} is completed",
        text=(
            "Hello {{ client }},\n\nall {{ periods }} agreed periods of your service "
            "{{ service }} are paid and over since {{ ended_on }}. We will not invoice it any "
            "more." + CLOSING
        ),
    ),
    "termination_notice": MailTemplate(
        description="Before a service on an overdue invoice is deleted: the first notice.",
        category="services",
        subject="{{ service }} will be deleted on {{ deletes_on }}",
        text=(
            "Hello {{ client }},\n\ninvoice {{ number }} over {{ total }} has been unpaid since "
            "{{ due_date }}. Unless it is paid before then, your service {{ service }} and "
            "everything in it will be deleted on {{ deletes_on }}. That cannot be taken back.\n\n"
            "Paying the invoice stops it:" + CLOSING
        ),
    ),
    "termination_last_notice": MailTemplate(
        description="The last notice before a service on an overdue invoice is deleted.",
        category="services",
        subject="Last notice: {{ service }} will be deleted on {{ deletes_on }}",
        text=(
            "Hello {{ client }},\n\ninvoice {{ number }} over {{ total }} is still unpaid. Your "
            "service {{ service }} and everything in it will be deleted on {{ deletes_on }}. "
            "That cannot be taken back. Save what you need, or pay the invoice here, which stops "
            "it:" + CLOSING
        ),
    ),
    "addon_active": MailTemplate(
        description="When an add-on of a service begins.",
        category="services",
        subject="{{ addon }} is now part of {{ service }}",
        text=("Hello {{ client }},\n\n{{ addon }} is now part of {{ service }}." + CLOSING),
    ),
    "addon_ends": MailTemplate(
        description="When an add-on is cancelled to the end of its paid period.",
        category="services",
        subject="{{ addon }} of {{ service }} ends on {{ day }}",
        text=(
            "Hello {{ client }},\n\nyou have cancelled {{ addon }} of {{ service }}. You can use "
            "it until the day before {{ day }}, and it is not invoiced again. Until then you can "
            "keep it after all:" + CLOSING
        ),
    ),
    "addon_ended": MailTemplate(
        description="When an add-on has ended.",
        category="services",
        subject="{{ addon }} of {{ service }} has ended",
        text=(
            "Hello {{ client }},\n\n{{ addon }} of {{ service }} has ended. The service itself "
            "goes on as before." + CLOSING
        ),
    ),
    "daily_digest": MailTemplate(
        description="To staff: what the daily automation did.",
        category="staff",
        subject="{{ day }}: {{ headline }}",
        text=("The daily automation of {{ day }}:\n\n{{ counts }}\n\n{{ failures }}" + CLOSING),
    ),
    **SERVICE_TEMPLATES,
    **CAPTURE_TEMPLATES,
    **QUOTE_TEMPLATES,
}
