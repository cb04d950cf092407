"""Forms of the client area: signing up, the client's details, contacts, ordering, paying."""

from typing import Any
from uuid import uuid4

from allauth.account.forms import SignupForm as AccountSignupForm
from allauth.core import context as allauth_context
from django import forms
from django.conf import settings
from django.db import transaction
from django.forms.boundfield import BoundField
from django.http import HttpRequest

from billing_portal.accounts.models import User
from billing_portal.clientarea.tax_ids import note_arrival
from billing_portal.clients import actions as clients
from billing_portal.clients.models import Client, Contact
from billing_portal.clients.queries import asked_fields
from billing_portal.clock.reading import now
from billing_portal.custom_fields import as_initial, form_fields, gathered
from billing_portal.payments import registry
from billing_portal.products.models import Price, Product
from billing_portal.taxes.queries import complaint, tidy

ADDRESS_FIELDS = ["company_name", "address1", "address2", "postcode", "city", "state", "country"]
PROFILE_FIELDS = [*ADDRESS_FIELDS, "tax_id", "first_name", "last_name", "email", "phone"]

LABELS = {
    "company_name": "Company",
    "address1": "Street and number",
    "address2": "Address line 2",
    "postcode": "Postcode",
    "state": "State or region",
    "tax_id": "Tax or VAT id",
    "email": "E-mail address for invoices",
}
HELP = {
    "company_name": "Leave empty to buy as a private person.",
    "tax_id": "Printed on your invoices.",
    "email": "Invoices and notices go here.",
    "phone": "",
}
AUTOCOMPLETE = {
    "company_name": "organization",
    "address1": "address-line1",
    "address2": "address-line2",
    "postcode": "postal-code",
    "city": "address-level2",
    "state": "address-level1",
    "country": "country",
    "first_name": "given-name",
    "last_name": "family-name",
    "email": "email",
    "phone": "tel",
}
REQUIRED = {"country": "Please choose your country."}


class ProfileForm(forms.ModelForm):
    """The client's own details."""

    class Meta:
        model = Client
        fields = PROFILE_FIELDS
        labels = LABELS
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**as_initial(self.instance.custom_fields), **self.initial}
        more = form_fields(asked_fields())
        for name, field in self.fields.items():
            field.error_messages["required"] = REQUIRED.get(name, "Please fill this in.")
            field.widget.attrs["autocomplete"] = AUTOCOMPLETE.get(name, "on")
        self.fields["country"].widget.choices = [
            ("", "Choose a country"),
            *list(self.fields["country"].widget.choices)[1:],
        ]
        self.fields |= more

    @property
    def profile(self) -> dict[str, Any]:
        """The client's fields as they were answered, the further questions under one name."""
        return gathered(self.cleaned_data, before=self.instance.custom_fields)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        refuse_bad_tax_id(self)
        return cleaned


PROSPECT_KEY = "accepted_as"
"""Where the session keeps what is known of a prospect who signs up."""


class SignupProfileForm(ProfileForm):
    """The part of the profile asked at sign-up; the e-mail address is the log-in's."""

    class Meta(ProfileForm.Meta):
        fields = [name for name in PROFILE_FIELDS if name != "email"]  # noqa: RUF012


class SignupForm(AccountSignupForm):
    """Everything a new customer is asked, on one page: who, where, how to log in.

    The profile's fields, with their checks, come from `SignupProfileForm`.
    """

    field_order = (
        *("email", "password1", "first_name", "last_name", "company_name", "phone"),
        *("address1", "address2", "postcode", "city", "state", "country", "tax_id"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # What a prospect told us for a quote needs no typing again.
        asked = getattr(allauth_context, "request", None)
        known = asked.session.get(PROSPECT_KEY, {}) if asked else {}
        kwargs["initial"] = known | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        profile = SignupProfileForm()
        self.profile_fields = list(profile.fields)
        self.fields.update(profile.fields)
        self.fields["email"].label = "E-mail address"
        self.fields["email"].help_text = "Your log-in, and where invoices go."
        self.fields["password1"].help_text = "10 characters or more."
        self.fields["email"].error_messages["required"] = "Please enter your e-mail address."
        self.fields["password1"].error_messages["required"] = "Please choose a password."
        self.order_fields(self.field_order)
        self.more_fields = [name for name in profile.fields if name not in profile.Meta.fields]

    @property
    def questions(self) -> list[BoundField]:
        """What an operator asks beyond the profile."""
        return [self[name] for name in self.more_fields]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        refuse_bad_tax_id(self)
        return cleaned

    def save(self, request: HttpRequest) -> User:
        """The user and its client, or neither."""
        with transaction.atomic():
            user: User = super().save(request)
        return user

    def custom_signup(self, request: HttpRequest, user: User) -> None:
        answers = {name: self.cleaned_data[name] for name in self.profile_fields}
        profile = gathered(answers, before={})
        user.name = f"{profile['first_name']} {profile['last_name']}"
        user.save(update_fields=["name"])
        client = clients.register_client(
            owner=user,
            profile={**profile, "email": user.email, "currency": settings.DEFAULT_CURRENCY},
            at=now(),
        )
        note_arrival(request, client, at=now())


class ContactForm(forms.ModelForm):
    categories = forms.MultipleChoiceField(
        label="Copies of mails about",
        choices=Contact.Category.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    class Meta:
        model = Contact
        fields = ("name", "email", "phone", "categories")
        labels = {"email": "E-mail address"}  # noqa: RUF012


class ConfigureForm(forms.Form):
    """The questions every product asks; the module's own come beside it."""

    cycle = forms.ChoiceField(
        label="Billing cycle",
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "This is not offered. Please choose another cycle."},
    )
    label = forms.CharField(
        label="Your name for it",
        help_text="So that you recognise it among your services.",
        max_length=120,
        required=False,
    )

    def __init__(self, *args: Any, prices: list[Price], product: Product, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if product.quantity_mode != Product.QuantityMode.ONE:
            self.fields["quantity"] = _quantity_field(product.maximum_quantity)
        self.prices = {price.cycle: price for price in prices}
        field = self.fields["cycle"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(price.cycle, price.get_cycle_display()) for price in prices]
        field.initial = prices[0].cycle


def _quantity_field(most: int) -> forms.IntegerField:
    sentence = f"Please order from 1 to {most}."
    return forms.IntegerField(
        label="Quantity",
        help_text=f"1 to {most}",
        min_value=1,
        max_value=most,
        initial=1,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), sentence),
    )


class PlaceOrderForm(forms.Form):
    """The last step: how to pay.  The hidden key makes a form sent twice one order."""

    submission_key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    payment_method = forms.ChoiceField(label="How would you like to pay?", widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        gateways = registry.gateways()
        field = self.fields["payment_method"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(gateway.key, gateway.name) for gateway in gateways]
        field.initial = gateways[0].key
        self.fields["submission_key"].initial = new_key
        self.descriptions = {gateway.key: gateway.description for gateway in gateways}


class PayForm(forms.Form):
    """How to pay one invoice."""

    gateway = forms.ChoiceField(label="How would you like to pay?")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["gateway"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(gateway.key, gateway.name) for gateway in registry.gateways()]


def refuse_bad_tax_id(form: forms.Form | forms.ModelForm) -> None:
    """An error beside the field if the tax id cannot be one of the country chosen.

    One that can is kept as the register writes it.
    """
    country = str(form.cleaned_data.get("country") or "")
    tax_id = form.cleaned_data.get("tax_id", "")
    if problem := complaint(tax_id, country=country):
        form.add_error("tax_id", problem)
    else:
        form.cleaned_data["tax_id"] = tidy(tax_id, country=country)


def new_key() -> str:
    """A random key that names one wish: one rendered form, one order or job."""
    return uuid4().hex
