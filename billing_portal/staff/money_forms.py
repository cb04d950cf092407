"""What staff fill in about credit, credit notes and refunds."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms

from billing_portal.calc.crediting import BilledLine
from billing_portal.calc.money import minor_units
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import InvoiceLine
from billing_portal.payments.models import Allocation, Refund
from billing_portal.staff.forms import ReasonForm, WishForm


def money_field(currency: str, **options: Any) -> forms.DecimalField:
    """An amount in a currency, with exactly its decimal places."""
    places = minor_units(currency)
    step = str(Decimal(1).scaleb(-places))
    return forms.DecimalField(
        max_digits=14,
        decimal_places=places,
        widget=forms.NumberInput(attrs={"step": step}),
        **options,
    )


class CreditForm(ReasonForm):
    """Credit that staff give or take."""

    GIVE, TAKE = "give", "take"
    way = forms.ChoiceField(
        label="What", choices=[(GIVE, "Give credit"), (TAKE, "Take credit away")]
    )
    field_order = ("key", "way", "amount", "reason")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = money_field(
            currency, min_value=Decimal(0), label=f"Amount in {currency}"
        )
        self.fields["reason"].help_text = "Staff see it; the client sees the amount."
        self.order_fields(self.field_order)


class UseCreditForm(WishForm):
    """How much of a client's credit pays an invoice."""

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = money_field(
            currency, min_value=Decimal(0), label=f"Amount in {currency}"
        )


class CreditNoteForm(ReasonForm):
    """By how much each line of an invoice is corrected, without tax."""

    field_order = ("key", "reason")

    def __init__(
        self, *args: Any, currency: str, lines: dict[InvoiceLine, BilledLine], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = "The client reads it on the credit note."
        self.lines = [line for line, state in lines.items() if state.left]
        for line in self.lines:
            left = lines[line].left
            self.fields[self._name(line)] = money_field(
                currency,
                label=line.description,
                initial=left.quantize(Decimal(1).scaleb(-minor_units(currency))),
                help_text=f"{format_amount(left, currency)} without tax are left; 0 leaves it.",
            )

    def amounts(self) -> dict[int, Decimal]:
        """What was filled in, by line id."""
        return {line.pk: self.cleaned_data[self._name(line)] for line in self.lines}

    @staticmethod
    def _name(line: InvoiceLine) -> str:
        return f"line_{line.pk}"


class RefundForm(ReasonForm):
    """How much of a payment goes back, and how."""

    way = forms.ChoiceField(label="How")
    field_order: tuple[str, ...] = ("key", "amount", "way", "reason")

    def __init__(
        self, *args: Any, currency: str, ways: Iterable[Refund.Way], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = money_field(
            currency, min_value=Decimal(0), label=f"Amount in {currency}"
        )
        field = self.fields["way"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(way.value, way.label) for way in ways]
        self.fields["reason"].help_text = "The client reads it."
        self.order_fields(self.field_order)


class AllocationField(forms.ModelChoiceField):
    """A payment, with what it paid of the invoice."""

    def label_from_instance(self, part: Allocation) -> str:
        paid = format_amount(part.amount, part.transaction.currency)
        return f"{part.transaction.external_id}: {paid}"


class InvoiceRefundForm(RefundForm):
    """The same of what one payment paid on an invoice."""

    part = AllocationField(queryset=Allocation.objects.none(), label="Payment", empty_label=None)
    field_order = ("key", "part", "amount", "way", "reason")

    def __init__(self, *args: Any, parts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["part"]
        assert isinstance(field, AllocationField)
        field.queryset = parts
        self.order_fields(self.field_order)
