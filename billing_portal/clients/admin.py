"""Clients, their contacts and who may act for them, in the staff dashboard."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import StackedInline, TabularInline
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminEmailInputWidget

from billing_portal.accounts import actions as accounts
from billing_portal.accounts.models import User
from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import amount, badge, dress, light, moment
from billing_portal.clients import actions
from billing_portal.clients.models import (
    Client,
    ClientField,
    ClientGroup,
    Contact,
    Membership,
    Permission,
)
from billing_portal.clients.queries import asked_fields
from billing_portal.clock.reading import now
from billing_portal.custom_fields import as_initial, form_fields, gathered

PERMISSION_LABELS = {
    Permission.PROFILE: "Edit the profile",
    Permission.CONTACTS: "Manage contacts",
    Permission.PRODUCTS: "See services",
    Permission.MANAGE_PRODUCTS: "Change services",
    Permission.INVOICES: "See and pay invoices",
    Permission.ORDERS: "Place orders",
    Permission.EMAILS: "Read mails",
}


class MembershipForm(forms.ModelForm):
    permissions = forms.MultipleChoiceField(
        choices=[(p.value, label) for p, label in PERMISSION_LABELS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="The owner may do everything.",
    )


class ContactForm(forms.ModelForm):
    categories = forms.MultipleChoiceField(
        choices=Contact.Category.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="Which mails are copied to this person.",
    )


class MembershipFormSet(BaseInlineFormSet):
    """Members of one client; its owner is replaced by another or stays."""

    def clean(self) -> None:
        super().clean()
        sent = [form.cleaned_data for form in self.forms]
        owners = [row for row in sent if row.get("is_owner") and not row.get("DELETE")]
        stored = self.instance.memberships.filter(is_owner=True)
        # Somebody else may have added one since the form was opened.
        kept = stored.exclude(pk__in=[form.instance.pk for form in self.initial_forms]).count()
        if stored.exists() and len(owners) + kept != 1:
            raise forms.ValidationError("A client has exactly one owner.")


class MembershipInline(StackedInline):
    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    autocomplete_fields = ("user",)
    extra = 0
    tab = True


class ContactInline(TabularInline):
    model = Contact
    form = ContactForm
    extra = 0
    tab = True


class ClientForm(forms.ModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, **as_initial(self.instance.custom_fields)}


class NewClientForm(forms.ModelForm):
    owner_email = forms.EmailField(
        label="Owner's e-mail address",
        widget=UnfoldAdminEmailInputWidget,
        help_text=(
            "Who logs in for this client. Someone without an account gets one and chooses a "
            "password with “Forgot password”."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        country: Any = self.fields["country"]
        country.choices = [("", "Choose a country"), *country.choices]
        self.initial.setdefault("country", "")


PROFILE = [
    (None, {"fields": (("company_name", "tax_id"), ("first_name", "last_name"))}),
    ("Reaching them", {"fields": (("email", "phone"),)}),
    (
        "Address",
        {
            "fields": (
                ("address1", "address2"),
                ("postcode", "city"),
                ("state", "country"),
            )
        },
    ),
]


@admin.register(Client)
class ClientAdmin(SimpleHistoryAdmin, PortalAdmin):
    page = "staff:client"
    list_display = ("__str__", "contact", "email", "country", "in_group", "standing", "since")
    list_select_related = ("group",)
    list_filter = (
        "status",
        "group",
        "country",
        "currency",
        ("city", FieldTextFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = (
        *("company_name", "first_name", "last_name", "email", "phone", "tax_id"),
        *("users__email", "postcode"),
    )
    ordering = ("-created_at", "-pk")
    inlines = (ContactInline, MembershipInline)
    add_fieldsets = (
        *PROFILE,
        ("Billing", {"fields": (("currency", "owner_email"),)}),
        ("Notes", {"fields": ("notes",)}),
    )
    fieldsets = (
        *PROFILE,
        (
            "Billing",
            {
                "fields": (
                    ("currency", "status"),
                    ("group", "separate_invoices"),
                    *("exempt_from_dunning", "tax_exempt"),
                )
            },
        ),
        ("Notes", {"fields": ("notes",)}),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """With the operator's further questions as fields; staff may leave them open."""
        asked = form_fields(asked_fields(by_staff=True))
        for field in asked.values():
            field.required = False
        dress(asked.values())
        base = NewClientForm if obj is None else ClientForm
        kwargs["form"] = type(base)("AskingClientForm", (base,), asked)  # type: ignore[misc]
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        asked = tuple(form_fields(asked_fields(by_staff=True)))
        return (*shown, ("Further questions", {"fields": asked})) if asked else shown

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": settings.DEFAULT_CURRENCY}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Invoices and services of a client are all in one currency.
        return ("currency",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        if change:
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            obj.refresh_from_db()
            profile = gathered(changed, before=obj.custom_fields)
            actor = cast("User", request.user)
            actions.update_profile(obj, profile=profile, actor=actor, at=now())
            return
        answers = gathered(form.cleaned_data, before={})
        obj.custom_fields = answers.get("custom_fields", {})
        profile = {name: getattr(obj, name) for name in answers if name != "owner_email"}
        owner = accounts.user_with(
            form.cleaned_data["owner_email"], name=f"{obj.first_name} {obj.last_name}"
        )
        obj.pk = actions.register_client(owner=owner, profile=profile, at=now()).pk
        obj.refresh_from_db()

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Changes of the client itself are noted by the action; those of inlines here."""
        inlines = [entry for entry in message if any("name" in part for part in entry.values())]
        if inlines:
            super().log_change(request, obj, inlines)

    @display(description="Contact", ordering="last_name")
    def contact(self, client: Client) -> str:
        return f"{client.first_name} {client.last_name}"

    @display(description="Group", ordering="group__name")
    def in_group(self, client: Client) -> str:
        return badge(client.group.name, client.group.colour) if client.group else "-"

    @display(description="State", ordering="status")
    def standing(self, client: Client) -> str:
        if client.billing_problem:
            return light("failed", "Billing parked")
        return light(client.status, client.get_status_display())

    @display(description="Client since", ordering="created_at")
    def since(self, client: Client) -> str:
        return moment(client.created_at)


@admin.register(ClientGroup)
class ClientGroupAdmin(SimpleHistoryAdmin, PortalAdmin):
    """Groups of clients; one that is in use cannot be deleted."""

    list_display = (
        "coloured",
        "discount",
        "members",
        "exempt_from_suspension",
        "separate_invoices",
    )
    search_fields = ("name",)
    ordering = ("name", "pk")
    deletable = True
    fieldsets = (
        (None, {"fields": (("name", "colour"), "discount_percent")}),
        ("Billing", {"fields": ("separate_invoices", "exempt_from_suspension")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClientGroup]:
        return super().get_queryset(request).annotate(client_count=Count("clients"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        used = obj is not None and obj.clients.exists()
        return not used and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        """Without deleting many at once, which would not look at each."""
        return {k: v for k, v in super().get_actions(request).items() if k != "delete_selected"}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "colour":
            field.widget.input_type = "color"
            field.widget.attrs["style"] = "height: 38px; padding: 4px"
        return field

    @display(description="Group", ordering="name")
    def coloured(self, group: ClientGroup) -> str:
        return badge(group.name, group.colour)

    @display(description="Discount", ordering="discount_percent")
    def discount(self, group: ClientGroup) -> str:
        percent = group.discount_percent
        return amount(f"{percent.normalize():f} %") if percent else "-"

    @display(description="Clients", ordering="client_count")
    def members(self, group: Any) -> str:
        if not group.client_count:
            return "-"
        address = reverse("admin:clients_client_changelist")
        link = f"{address}?{urlencode({'group__id__exact': group.pk})}"
        return format_html('<a href="{}">{}</a>', link, amount(str(group.client_count)))


@admin.register(ClientField)
class ClientFieldAdmin(PortalAdmin):
    """Further questions to every client, at sign-up and on the account page."""

    list_display = ("label", "key", "kind", "required", "staff_only", "position")
    search_fields = ("label", "key")
    prepopulated_fields = {"key": ("label",)}  # noqa: RUF012
    ordering = ("position", "pk")
    deletable = True
    fieldsets = (
        (None, {"fields": (("label", "key"), ("kind", "position"), "help_text")}),
        ("Answers", {"fields": ("choices", "pattern", ("required", "staff_only", "on_invoice"))}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Answers are stored under it.
        return ("key",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return {} if obj else self.prepopulated_fields
