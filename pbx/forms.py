"""What staff set per product and per server, and what a client answers when ordering."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django import forms

MAX_LABEL = 40
SMALLEST_NUMBER, LARGEST_NUMBER = 10, 9_999_999

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_label(text: str) -> bool:
    """Whether `text` can be one part of a host name, in lower case."""
    return bool(_LABEL.fullmatch(text))


def is_host_name(text: str) -> bool:
    return len(text) <= 200 and "." in text and all(map(is_label, text.split(".")))


def host_label(name: str) -> str:
    """A company's name as one part of a host name: "Müller & Söhne GmbH" is "muller-sohne-gmbh".

    40 characters at most; nothing usable in it gives "".
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_LABEL].rstrip("-")


class SettingsForm(forms.Form):
    """A product's settings: how many extensions, how they are numbered, what calls cost."""

    extensions = forms.IntegerField(
        label="Extensions to begin with",
        min_value=1,
        initial=5,
        help_text="What the order form offers.",
    )
    max_extensions = forms.IntegerField(
        label="Largest number of extensions", min_value=1, max_value=9000, initial=20
    )
    first_extension = forms.IntegerField(
        label="First extension",
        min_value=SMALLEST_NUMBER,
        max_value=LARGEST_NUMBER,
        initial=1001,
        help_text="The others follow: 1001, 1002 and so on.",
    )
    domain_suffix = forms.CharField(
        label="Domain suffix",
        max_length=200,
        initial="pbx.example",
        help_text="Tenants are named <company>-<service>.<suffix>.",
    )
    tariff = forms.SlugField(
        label="Tariff",
        max_length=60,
        help_text="The slug of the tariff outbound calls are billed by.",
    )

    def clean_domain_suffix(self) -> str:
        suffix = str(self.cleaned_data["domain_suffix"]).strip().strip(".").lower()
        if not is_host_name(suffix):
            raise forms.ValidationError("Enter a host name such as pbx.example.net.")
        return suffix

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, most = cleaned.get("first_extension"), cleaned.get("max_extensions")
        if most and cleaned.get("extensions", 0) > most:
            self.add_error("extensions", f"At most {most}, the largest number, can be offered.")
        if first and most and len(str(first + most - 1)) != len(str(first)):
            self.add_error(
                "first_extension",
                f"{most} extensions from {first} on would not all have {len(str(first))} digits.",
            )
        return cleaned


class ServerForm(forms.Form):
    """A server's credentials."""

    token = forms.CharField(
        label="Agent token",
        max_length=200,
        widget=forms.PasswordInput(render_value=False),
        help_text="The bearer token from the agent's configuration on the PBX.",
    )
    sip_proxy = forms.CharField(
        label="SIP proxy",
        max_length=200,
        required=False,
        help_text="Where phones register; empty for the server's own host name.",
    )


class OrderForm(forms.Form):
    """What a client says about the PBX they order.  `limited_to` makes it fit a product."""

    label = forms.CharField(
        label="Company name", max_length=60, help_text="Your PBX's address begins with it."
    )
    extensions = forms.IntegerField(label="Number of extensions")

    most = 20

    def clean_label(self) -> str:
        label = host_label(self.cleaned_data["label"])
        if not label:
            raise forms.ValidationError("Use at least one letter from a to z, or a digit.")
        return label

    def clean_extensions(self) -> int:
        extensions: int = self.cleaned_data["extensions"]
        if not 1 <= extensions <= self.most:
            raise forms.ValidationError(too_many_or_few(extensions, self.most))
        return extensions


def order_form(settings: Mapping[str, Any]) -> type[OrderForm]:
    """The order form of a product: its default and its largest number of extensions."""
    largest = max_extensions(settings)
    widget = forms.NumberInput(attrs={"min": 1, "max": largest})
    field = forms.IntegerField(
        label="Number of extensions",
        initial=settings.get("extensions", 1),
        widget=widget,
        help_text=f"1 to {largest}.",
    )
    return type("PbxOrderForm", (OrderForm,), {"most": largest, "extensions": field})


def max_extensions(settings: Mapping[str, Any]) -> int:
    return int(settings.get("max_extensions", 20))


def too_many_or_few(extensions: int, most: int) -> str:
    """Why a number of extensions is not allowed."""
    if extensions < 1:
        return "A PBX has at least 1 extension."
    return f"This product has at most {most} extensions; {extensions} were asked for."
