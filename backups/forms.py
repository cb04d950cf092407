"""What staff and clients fill in for backup storage."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from provisioning.contract import RemoteRejected

from .limits import LARGEST_SIZE_GB, SIZE_STEP_GB, SMALLEST_SIZE_GB, check_size

ALERT, STOP = "alert", "stop"
BEYOND_MAX = (
    (ALERT, "Tell the client and staff"),
    (STOP, "Tell them and switch autoscaling off"),
)


@dataclass(frozen=True, slots=True)
class ProductSettings:
    """A product's settings, with the vendor's limits where staff set none."""

    size_gb: int = SMALLEST_SIZE_GB
    min_size_gb: int = SMALLEST_SIZE_GB
    max_size_gb: int = LARGEST_SIZE_GB
    name_prefix: str = "backup"
    beyond_max: str = ALERT

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "ProductSettings":
        known = {key: settings[key] for key in cls.__slots__ if settings.get(key) is not None}
        return cls(**known)

    def check_size(self, size_gb: object) -> int:
        """The size, if this product has it.  Raises RemoteRejected, as a sentence."""
        return check_size(size_gb, smallest_gb=self.min_size_gb, largest_gb=self.max_size_gb)


class SizeField(forms.IntegerField):
    """A size in GB; what is not allowed gets the sentence `limits.check_size` has for it."""

    def __init__(self, limits: ProductSettings | None = None, **options: Any) -> None:
        self.limits = limits or ProductSettings()
        super().__init__(**options)

    def validate(self, value: int | None) -> None:
        super().validate(value)
        if value is None:
            return
        try:
            self.limits.check_size(value)
        except RemoteRejected as error:
            raise ValidationError(str(error), code="size") from error

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        # Written as attributes only: Django's own checks would add a second sentence.
        return super().widget_attrs(widget) | {
            "min": self.limits.min_size_gb,
            "max": self.limits.max_size_gb,
            "step": SIZE_STEP_GB,
        }


class BackupSettingsForm(forms.Form):
    """The limits of one product."""

    size_gb = SizeField(label="Default size in GB", initial=SMALLEST_SIZE_GB)
    min_size_gb = SizeField(label="Smallest size in GB", initial=SMALLEST_SIZE_GB)
    max_size_gb = SizeField(label="Largest size in GB", initial=LARGEST_SIZE_GB)
    name_prefix = forms.CharField(
        label="Name prefix",
        initial="backup",
        max_length=40,
        validators=[
            RegexValidator(
                re.compile(r"\A[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\Z"),
                "Letters, digits and hyphens, with a letter or digit at both ends.",
            )
        ],
        help_text="Datastores are called prefix-client12-service34.",
    )
    beyond_max = forms.ChoiceField(
        label="If autoscaling goes beyond the largest size",
        choices=BEYOND_MAX,
        initial=ALERT,
        required=False,
        help_text="The vendor lets it grow to 20,000 GB; every size is billed.",
    )

    def clean_beyond_max(self) -> str:
        return self.cleaned_data["beyond_max"] or ALERT

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        smallest, size, largest = (
            cleaned.get(key) for key in ("min_size_gb", "size_gb", "max_size_gb")
        )
        if smallest is None or size is None or largest is None:
            return cleaned
        if smallest > largest:
            self.add_error("max_size_gb", "The largest size is below the smallest.")
        elif not smallest <= size <= largest:
            self.add_error("size_gb", f"The default must be from {smallest} to {largest} GB.")
        return cleaned


class BackupServerForm(forms.Form):
    """How to get into one reseller account."""

    token = forms.CharField(
        label="API token",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        validators=[
            RegexValidator(
                re.compile(r"\A[!-~]{8,}\Z"), "A token has 8 or more characters, no space."
            )
        ],
        help_text="The reseller token, not the one for monitoring.",
    )


def order_form(settings: ProductSettings) -> type[forms.Form]:
    """The form a client orders or resizes with: the size, within the product's limits."""

    class BackupOrderForm(forms.Form):
        size_gb = SizeField(
            settings,
            label="Size in GB",
            initial=settings.size_gb,
            help_text=(
                f"{settings.min_size_gb} to {settings.max_size_gb} GB"
                f" in steps of {SIZE_STEP_GB}. 1 GB is 1,000,000,000 bytes."
            ),
        )

    return BackupOrderForm
