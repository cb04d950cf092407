"""Lines that staff type: the rows of a draft invoice or a quote.

The form works without a script: there are always some empty rows, and a button makes more.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, QueryDict

from billing_portal.services.models import Service

PREFIX = "lines"
EMPTY_ROWS = 2
MOST_LINES = 200


class LineForm(forms.Form):
    """One line.  A row left empty is no line."""

    description = forms.CharField(max_length=300)
    quantity = forms.DecimalField(max_digits=12, decimal_places=3, initial=Decimal(1))
    unit = forms.CharField(max_length=20, required=False)
    unit_price = forms.DecimalField(max_digits=14, decimal_places=6)
    taxable = forms.BooleanField(required=False, initial=True, label="Tax")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quantity"].widget.attrs |= {"inputmode": "decimal", "step": "any"}
        self.fields["unit_price"].widget.attrs |= {"inputmode": "decimal", "step": "any"}


class ServiceLineForm(LineForm):
    """One line that may be about one of the client's services."""

    service = forms.ModelChoiceField(
        queryset=Service.objects.none(), required=False, empty_label="None"
    )

    def __init__(self, *args: Any, services: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["service"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = services


class QuoteLineForm(LineForm):
    """One line of an offer, with a discount of its own."""

    discount_percent = forms.DecimalField(
        max_digits=5,
        decimal_places=2,
        min_value=0,
        max_value=100,
        initial=Decimal(0),
        label="Discount %",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["unit"]  # an offer's positions have none


class Lines(BaseFormSet):
    """The rows of a document; at least one has to be filled in."""

    def rows(self) -> list[dict[str, Any]]:
        """What the filled rows say, once the form is valid."""
        return [
            form.cleaned_data
            for form in self.forms
            if form.cleaned_data.get("description") and not form.cleaned_data.get("DELETE")
        ]

    def clean(self) -> None:
        if not any(self.errors) and not self.rows():
            raise forms.ValidationError("Fill in at least one line.")


def lines_form(
    request: HttpRequest,
    form: type[LineForm],
    *,
    initial: list[Mapping[str, Any]],
    form_kwargs: Mapping[str, Any] | None = None,
) -> Lines:
    """The rows as sent, with more empty ones if the person asked for them."""
    kind = formset_factory(
        form, formset=Lines, extra=EMPTY_ROWS, can_delete=True, max_num=MOST_LINES
    )
    sent = _with_more_rows(request.POST) if request.method == "POST" else None
    rows = kind(sent, initial=initial, form_kwargs=dict(form_kwargs or {}), prefix=PREFIX)
    assert isinstance(rows, Lines)
    return rows


def _with_more_rows(sent: QueryDict) -> QueryDict:
    name = f"{PREFIX}-TOTAL_FORMS"
    told = str(sent.get(name, ""))
    if "more" not in sent or not (told.isascii() and told.isdigit()):
        return sent
    more = sent.copy()
    more[name] = str(min(int(told) + 3, MOST_LINES))
    return more
