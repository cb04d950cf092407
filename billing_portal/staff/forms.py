"""What staff fill in on the dashboard's own pages."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings

from billing_portal.calc.money import minor_units
from billing_portal.invoices.amounts import format_amount, format_day
from billing_portal.invoices.models import Invoice
from billing_portal.payments.gateways.bank_transfer import BankTransfer
from billing_portal.payments.models import Transaction

BANK_TRANSFER = BankTransfer.key


def new_key() -> str:
    """Names one wish: a form sent twice carries the same key, so it is done once."""
    return f"staff:{uuid4()}"


class WishForm(forms.Form):
    """A confirmation that may be sent twice without being done twice."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=100, initial=new_key)


class ReasonForm(WishForm):
    """Why a job needs no retry, or why a service is suspended."""

    reason = forms.CharField(max_length=200, label="Reason")


class CancelInvoiceForm(ReasonForm):
    """Why an invoice is void, and what becomes of the periods on it."""

    AGAIN, NEVER = "again", "never"
    periods = forms.ChoiceField(
        label="The periods on it",
        choices=[
            ("", "Choose"),
            (AGAIN, "Bill them again: the next bill run puts them on a new invoice"),
            (NEVER, "Do not bill them: the services go on, and the next period follows"),
        ],
    )

    def __init__(self, *args: Any, has_periods: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_periods:
            del self.fields["periods"]

    @property
    def bill_again(self) -> bool:
        return self.cleaned_data.get("periods") == self.AGAIN


class SuspendForm(WishForm):
    reason = forms.CharField(
        max_length=200, label="Reason", help_text="The client reads it on the service's page."
    )


class TerminateForm(WishForm):
    """Deleting for good asks for the service's name."""

    name = forms.CharField(label="Type the name to confirm", required=True)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["name"].help_text = f"The name is: {expected}"
        self.fields["name"].widget.attrs["autocomplete"] = "off"

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != self.expected:
            raise forms.ValidationError(f"That is not the name. Type: {self.expected}")
        return name


class InvoiceField(forms.ModelChoiceField):
    """An invoice, with what is open and since when."""

    def label_from_instance(self, invoice: Invoice) -> str:
        left = format_amount(invoice.balance, invoice.currency)
        return f"{invoice.number}: {left} open, due {format_day(invoice.due_date)}"


class InvoicesField(forms.ModelMultipleChoiceField):
    """Several invoices, each with what is open and since when."""

    def label_from_instance(self, invoice: Invoice) -> str:
        left = format_amount(invoice.balance, invoice.currency)
        return f"{invoice}: {left} open, due {format_day(invoice.due_date)}"


class PaymentForm(forms.Form):
    """A bank transfer that arrived for an invoice, or for several."""

    invoice = InvoiceField(queryset=Invoice.objects.none(), label="For invoice", empty_label=None)
    amount = forms.DecimalField(
        min_value=Decimal("0.001"), max_digits=14, decimal_places=3, label="Amount received"
    )
    reference = forms.CharField(
        max_length=120,
        help_text="The bank's own, as on the statement. One reference is booked once.",
    )
    received_on = forms.DateField(
        label="Date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    others = InvoicesField(
        queryset=Invoice.objects.none(),
        required=False,
        label="Also for",
        help_text="Choose several for one transfer; the first due is paid first.",
    )

    def __init__(self, *args: Any, invoices: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        invoice = self.fields["invoice"]
        assert isinstance(invoice, InvoiceField)
        invoice.queryset = invoices
        others = self.fields["others"]
        assert isinstance(others, InvoicesField)
        others.queryset = invoices
        if invoices.count() < 2:
            del self.fields["others"]

    def clean_reference(self) -> str:
        reference = str(self.cleaned_data["reference"]).strip()
        known = Transaction.objects.filter(gateway=BANK_TRANSFER, external_id=reference)
        if booked := known.select_related("client").first():
            shown = format_amount(booked.amount, booked.currency)
            raise forms.ValidationError(f"Already booked: {shown} from {booked.client}.")
        return reference

    def clean_received_on(self) -> date:
        received_on: date = self.cleaned_data["received_on"]
        if received_on > self.today:
            raise forms.ValidationError("This day is in the future.")
        return received_on

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        invoice, amount = cleaned.get("invoice"), cleaned.get("amount")
        if invoice and amount is not None:
            places = minor_units(invoice.currency)
            if amount != round(amount, places):
                self.add_error("amount", f"{invoice.currency} has {places} decimal places.")
        return cleaned

    @property
    def received_at(self) -> datetime:
        """Midnight of the day in the seller's time zone: banks do not tell the hour."""
        zone = ZoneInfo(settings.SELLER_TIMEZONE)
        return datetime.combine(self.cleaned_data["received_on"], time(), tzinfo=zone)
