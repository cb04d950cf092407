"""Mail in the staff dashboard: what was sent, and the templates it is made from."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from post_office.models import Attachment, Email, EmailTemplate, Log
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from billing_portal.admin_frame import PortalAdmin, ReadOnlyAdmin
from billing_portal.admin_print import mail_light, moment
from billing_portal.mail.models import ClientMail

PLAIN_FORM = "admin/change_form.html"
"""post_office brings forms of its own, which load an editor from another host."""

for model in (Email, Log, EmailTemplate, Attachment):
    admin.site.unregister(model)


@admin.register(ClientMail)
class ClientMailAdmin(ReadOnlyAdmin):
    page = "staff:mail"
    list_display = ("subject", "to", "template", "when", "state")
    list_filter = ("template", "email__status", ("at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("email",)
    search_fields = ("email__subject", "email__to", "key")
    ordering = ("-at", "-pk")
    fields = readonly_fields = ("subject", "to", "template", "key", "when", "state")

    @display(description="Subject", ordering="email__subject")
    def subject(self, mail: ClientMail) -> str:
        return str(mail.email.subject)

    @display(description="To", ordering="email__to")
    def to(self, mail: ClientMail) -> str:
        return ", ".join(mail.email.to)

    @display(description="When", ordering="at")
    def when(self, mail: ClientMail) -> str:
        return moment(mail.at)

    @display(description="State", ordering="email__status")
    def state(self, mail: ClientMail) -> str:
        return mail_light(mail.email)


@admin.register(Email)
class EmailAdmin(ReadOnlyAdmin):
    """Every mail, without its text: password and confirmation mails hold links that log in."""

    change_form_template = PLAIN_FORM
    list_display = ("subject", "recipients", "when", "state")
    list_filter = ("status", ("created", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("subject", "to")
    ordering = ("-pk",)
    fields = readonly_fields = ("subject", "recipients", "from_email", "when", "state", "attempts")

    @display(description="To", ordering="to")
    def recipients(self, email: Email) -> str:
        return ", ".join([*email.to, *email.cc])

    @display(description="When", ordering="created")
    def when(self, email: Email) -> str:
        return moment(email.created)

    @display(description="State", ordering="status")
    def state(self, email: Email) -> str:
        return mail_light(email)

    @display(description="Delivery log")
    def attempts(self, email: Email) -> str:
        log = [f"{moment(entry.date)}: {entry.message or 'sent'}" for entry in email.logs.all()]
        return "; ".join(log) or "-"


@admin.register(EmailTemplate)
class EmailTemplateAdmin(PortalAdmin):
    """The texts of the portal's mails.  Their names are fixed: the portal asks for them."""

    change_form_template = PLAIN_FORM
    list_display = ("name", "description", "subject", "changed")
    search_fields = ("name", "subject", "content")
    fields = ("name", "description", "subject", "content", "html_content")
    readonly_fields = ("name", "description")
    ordering = ("name", "language")
    formfield_overrides = {  # noqa: RUF012
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 16, "class": "code"})}
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        help_texts = {
            "content": "The plain text. Names in double braces are filled in: {{ client }}.",
            "html_content": "The same as a web page, for mail programs that show it.",
        }
        return super().get_form(request, obj, help_texts=help_texts, **kwargs)

    @display(description="Changed", ordering="last_updated")
    def changed(self, template: EmailTemplate) -> str:
        return moment(template.last_updated)
