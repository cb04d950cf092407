"""The mails the portal sends, as shipped.  Staff edit the rows made from them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """`category` is the kind of mail a contact can ask copies of."""

    description: str
    category: str
    subject: str
    text: str

    @property
    def html(self) -> str:
        """The text as one column of paragraphs, with the link as a button."""
        paragraphs = "".join(
            f'<p style="margin:0 0 16px">{block.strip()}</p>'
            for block in self.text.split("\n\n")
            if block.strip() and block.strip() != "{{ url }}"
        )
        return _FRAME.replace("PARAGRAPHS", paragraphs.replace("\n", "<br>"))


_FRAME = """<!doctype html>
<html><body style="margin:0;background:#f8f9fb;color:#101828;font:16px/1.5 sans-serif">
<div style="max-width:560px;margin:0 auto;padding:24px">
<div style="background:#ffffff;border:1px solid #e4e7ec;border-radius:10px;padding:24px">
PARAGRAPHS
<p style="margin:24px 0"><a href="{{ url }}" style="background:#4f46e5;color:#ffffff;\
text-decoration:none;padding:10px 16px;border-radius:6px">Open in the portal</a></p>
<p style="margin:0;color:#667085;font-size:13px">Or copy this address: {{ url }}</p>
</div>
<p style="color:#667085;font-size:13px;padding:0 24px">{{ seller }} &middot; {{ seller_email }}</p>
</div></body></html>"""

_CLOSING = "\n\n{{ url }}\n\nQuestions? Just reply, or write to {{ seller_email }}.\n\n{{ seller }}"

DEFAULT_TEMPLATES: dict[str, MailTemplate] = {
    "order_placed": MailTemplate(
        description="After an order: what was ordered and what happens next.",
        category="invoices",
        subject="We have your order {{ order }}",
        text=(
            "Hello {{ client }},\n\nthank you for your order {{ order }}: {{ items }}.\n\n"
            "{{ next_step }}" + _CLOSING
        ),
    ),
    "invoice_issued": MailTemplate(
        description="With every new invoice.",
        category="invoices",
        subject="Invoice {{ number }}: {{ total }}, due {{ due_date }}",
        text=(
            "Hello {{ client }},\n\nyour invoice {{ number }} over {{ total }} is ready. "
            "It is due on {{ due_date }}.\n\nYou can see every line and pay it here:" + _CLOSING
        ),
    ),
    "payment_received": MailTemplate(
        description="When a payment has arrived.",
        category="invoices",
        subject="We received your payment of {{ amount }}",
        text=(
            "Hello {{ client }},\n\nthank you. Your payment of {{ amount }} for invoice "
            "{{ number }} has arrived. {{ balance }}" + _CLOSING
        ),
    ),
    "service_active": MailTemplate(
        description="When a service is ready to use.  Never holds credentials.",
        category="services",
        subject="{{ service }} is ready",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} ({{ summary }}) is active.\n\n"
            "The log-in details are on its page, where you can reveal and copy them:" + _CLOSING
        ),
    ),
    "service_suspended": MailTemplate(
        description="When a service was suspended.",
        category="services",
        subject="{{ service }} is suspended",
        text=(
            "Hello {{ client }},\n\nyour service {{ service }} is suspended: {{ reason }}.\n\n"
            "Nothing was deleted." + _CLOSING
        ),
    ),
}
