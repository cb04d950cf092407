"""Which tax is due where, and what the register said about a client's tax id."""

from decimal import Decimal
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django_countries.fields import CountryField
from simple_history.models import HistoricalRecords

from billing_portal.clients.models import Client
from billing_portal.taxes.places import state_key


class TaxSettings(models.Model):
    """One row, with `pk` 1: how this seller charges tax."""

    class Rounding(models.TextChoices):
        LINE = "line", "Each line"
        DOCUMENT = "document", "The whole document"

    enabled = models.BooleanField("charge tax", default=False)
    prices_include_tax = models.BooleanField(
        default=False, help_text="Catalogue prices are what the client pays in the end."
    )
    exempt_pay_net = models.BooleanField(
        default=True,
        help_text="When prices include tax, clients without tax pay the price less the tax that "
        "the seller's own country would charge.",
    )
    rounding = models.CharField(max_length=10, choices=Rounding.choices, default=Rounding.DOCUMENT)
    eu_vat = models.BooleanField(
        "EU VAT rules",
        default=False,
        help_text="Businesses elsewhere in the EU with a valid VAT id account for it themselves.",
    )
    seller_country = CountryField(default="DE")
    seller_state = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "tax settings"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="one_row_of_tax_settings"),
        ]

    def __str__(self) -> str:
        return "Tax settings"


class TaxRule(models.Model):
    """One tax of a place and time.  The most specific rule of each level applies."""

    level = models.PositiveSmallIntegerField(choices=[(1, "First"), (2, "Second")], default=1)
    name = models.CharField(max_length=40, help_text="As printed: VAT, GST, Sales tax.")
    country = CountryField(blank=True, help_text="Empty: every country.")
    state = models.CharField(max_length=80, blank=True, help_text="Empty: every state.")
    percent = models.DecimalField(
        max_digits=7,
        decimal_places=4,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    compound = models.BooleanField(
        default=False, help_text="Second level: on the amount with the first tax."
    )
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True, help_text="The first day without it.")
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["country", "state", "level", "starts_on", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(percent__range=(0, 100)), name="a_tax_is_a_part"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(starts_on__isnull=True)
                | Q(ends_on__gt=F("starts_on")),
                name="a_tax_rule_runs_forward",
            ),
        ]

    def __str__(self) -> str:
        place = " ".join(filter(None, [str(self.country), self.state])) or "everywhere"
        return f"{self.name} {self.percent.normalize():f} % {place}"

    def clean(self) -> None:
        """A state has a country, only a second tax is compound, and no day has two rules."""
        if self.state and not self.country:
            raise ValidationError({"country": "Choose the country this state belongs to."})
        if self.compound and self.level == 1:
            raise ValidationError({"compound": "Only a second tax can be on top of the first."})
        if self.starts_on and self.ends_on and self.ends_on <= self.starts_on:
            raise ValidationError({"ends_on": "The first day without it comes after the start."})
        if other := self._overlapping():
            raise ValidationError(
                f"“{other}” is the {other.get_level_display().lower()} tax of that place on some "
                "of these days already. End it before this one begins, or change it instead."
            )

    def _overlapping(self) -> "TaxRule | None":
        """Another rule of the same level and place that shares a day with this one."""
        others = TaxRule.objects.exclude(pk=self.pk).filter(level=self.level, country=self.country)
        if self.ends_on:
            others = others.exclude(starts_on__gte=self.ends_on)
        if self.starts_on:
            others = others.exclude(ends_on__lte=self.starts_on)
        place = state_key(str(self.country), self.state)
        return next((o for o in others if state_key(str(o.country), o.state) == place), None)


class TaxIdCheck(models.Model):
    """What the register answered when a client's tax id was looked up: the evidence."""

    class Answer(models.TextChoices):
        VALID = "valid", "Valid"
        INVALID = "invalid", "Not valid"
        UNAVAILABLE = "unavailable", "The register did not answer"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="tax_id_checks")
    tax_id = models.CharField(max_length=40)
    answer = models.CharField(max_length=12, choices=Answer.choices)
    name = models.CharField(max_length=200, blank=True, help_text="As registered.")
    address = models.TextField(blank=True, help_text="As registered.")
    consultation = models.CharField(
        max_length=60, blank=True, help_text="The register's number of this consultation."
    )
    checked_at = models.DateTimeField()
    next_check_at = models.DateTimeField(
        null=True, blank=True, help_text="When to ask again; empty: when the id changes."
    )

    class Meta:
        ordering: ClassVar = ["-checked_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["client", "-checked_at"])]

    def __str__(self) -> str:
        return f"{self.tax_id}: {self.get_answer_display().lower()}"


class SignupPlace(models.Model):
    """From where a client signed up: evidence, beside its address, of where it is.

    The EU asks sellers to keep two such pieces that agree for consumers of other states.
    """

    client = models.OneToOneField(Client, on_delete=models.PROTECT, related_name="signup_place")
    ip = models.GenericIPAddressField("IP address")
    country = models.CharField(
        max_length=2, blank=True, help_text="Of the IP address, if the proxy in front says so."
    )
    noted_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.ip} {self.country}".strip()
