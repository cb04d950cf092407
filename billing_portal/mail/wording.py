"""What every mail has: its shape as text and as HTML, and how it ends."""

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

CLOSING = "\n\n{{ url }}\n\nQuestions? Just reply, or write to {{ seller_email }}.\n\n{{ seller }}"
