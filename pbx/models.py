"""What the portal knows of its PBXs: tenants, extensions, tariffs and every call.

A call keeps what it was rated by, so a tariff may change without changing the past.  Its
amount is whole millionths of the currency, because sums of those are exact everywhere.
"""

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from billing_portal.services.models import Service
from provisioning.models import Server

MICRO = Decimal("0.000001")


class Tenant(models.Model):
    """A domain on a PBX.  Without a service, it is one the portal did not make, or not yet."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="tenants")
    remote_id = models.CharField(max_length=36, help_text="The PBX's uuid for it.")
    domain = models.CharField(max_length=253, blank=True)
    service = models.OneToOneField(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="tenant"
    )
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["server", "domain", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "remote_id"], name="one_row_per_tenant"),
        ]

    def __str__(self) -> str:
        return self.domain or self.remote_id


class Extension(models.Model):
    """A phone's account in a tenant.  Its secret is with the placement, encrypted."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="extensions")
    remote_id = models.CharField(max_length=36, help_text="The PBX's uuid for it.")
    number = models.CharField(max_length=20)
    name = models.CharField(max_length=100, blank=True)
    removed_at = models.DateTimeField(
        null=True, blank=True, help_text="Kept afterwards, because its calls may come late."
    )

    class Meta:
        ordering: ClassVar = ["tenant", "number", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "remote_id"], name="one_row_per_extension"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}".strip()


class Tariff(models.Model):
    """A price list in one currency.  Products name the slug; the service has the currency."""

    slug = models.SlugField(max_length=60)
    currency = models.CharField(max_length=3)
    name = models.CharField(max_length=80)
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["slug", "currency"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["slug", "currency"], name="one_tariff_per_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.currency})"


class TariffRate(models.Model):
    """The price of calls to numbers that begin with a prefix; the longest one counts."""

    tariff = models.ForeignKey(Tariff, on_delete=models.CASCADE, related_name="rates")
    prefix = models.CharField(
        max_length=20, validators=[RegexValidator(r"^[0-9]+$", "Digits only.")]
    )
    description = models.CharField(max_length=120, blank=True)
    rate_per_minute = models.DecimalField(
        max_digits=14, decimal_places=6, validators=[MinValueValidator(Decimal(0))]
    )
    increment_s = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1)], help_text="Seconds billed at a time."
    )
    initial_increment_s = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Seconds billed at least; empty for one increment.",
    )
    connection_fee = models.DecimalField(
        max_digits=14,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Per answered call.",
    )

    class Meta:
        ordering: ClassVar = ["tariff", "prefix"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tariff", "prefix"], name="one_rate_per_prefix"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} {self.description}"


class CallCursor(models.Model):
    """How far the call records of a server have been read, by that server's own clock."""

    server = models.OneToOneField(
        Server, on_delete=models.CASCADE, primary_key=True, related_name="call_cursor"
    )
    watermark = models.DateTimeField(
        null=True, blank=True, help_text="When the PBX stored the newest call we have."
    )
    imported_at = models.DateTimeField(null=True, blank=True, help_text="Last success.")
    failed_at = models.DateTimeField(null=True, blank=True, help_text="Empty after a success.")
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["server"]

    def __str__(self) -> str:
        return f"{self.server}: calls until {self.watermark}"


class Call(models.Model):
    """One call record of a PBX, and what it costs.

    Without a tenant the PBX could not say whose call it was; without a service the tenant
    is not ours.  Both are kept, because they may turn out to be somebody's.
    """

    class Direction(models.TextChoices):
        OUTBOUND = "outbound", "Outbound"
        INBOUND = "inbound", "Inbound"
        LOCAL = "local", "Internal"
        UNKNOWN = "", "Unknown"

    class Rating(models.TextChoices):
        FREE = "free", "Free"
        RATED = "rated", "Rated"
        UNRATED = "unrated", "No price"

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="calls")
    uuid = models.UUIDField(help_text="The PBX's id for it.")
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="calls"
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, null=True, blank=True, related_name="calls"
    )
    extension_number = models.CharField(max_length=20, blank=True)
    direction = models.CharField(max_length=10, choices=Direction.choices, blank=True)
    leg = models.CharField(max_length=1, blank=True, help_text="a: the caller's, b: the other.")
    caller = models.CharField(max_length=80, blank=True)
    destination = models.CharField(max_length=80, blank=True, help_text="As the PBX wrote it.")
    destination_digits = models.CharField(
        max_length=40, blank=True, help_text="As it was looked up; empty if it is no number."
    )
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField()
    billsec = models.PositiveIntegerField(help_text="Answered seconds.")
    hangup_cause = models.CharField(max_length=40, blank=True)

    rating = models.CharField(max_length=8, choices=Rating.choices)
    prefix = models.CharField(max_length=20, blank=True)
    rate_description = models.CharField(max_length=120, blank=True)
    billed_s = models.PositiveIntegerField(default=0, help_text="Seconds after rounding up.")
    amount_micros = models.BigIntegerField(
        null=True, blank=True, help_text="Millionths of the currency; empty without a price."
    )
    explanation = models.JSONField(default=dict, blank=True, help_text="The rule that fired.")
    charge = models.ForeignKey(
        "invoices.Charge", on_delete=models.PROTECT, null=True, blank=True, related_name="calls"
    )
    imported_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-started_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "uuid"], name="a_call_is_stored_once"),
            models.CheckConstraint(
                condition=Q(rating="unrated", amount_micros__isnull=True)
                | (~Q(rating="unrated") & Q(amount_micros__gte=0)),
                name="only_an_unrated_call_has_no_amount",
            ),
            models.CheckConstraint(
                condition=Q(charge__isnull=True) | Q(rating="rated", service__isnull=False),
                name="only_rated_calls_are_charged",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["service", "-started_at", "-id"], name="calls_of_a_service"),
            models.Index(
                fields=["service", "started_at"],
                condition=Q(rating="rated", charge__isnull=True),
                name="calls_to_charge",
            ),
            models.Index(
                fields=["service", "id"], condition=Q(rating="unrated"), name="calls_without_price"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.destination} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def amount(self) -> Decimal | None:
        """The cost with 6 decimals, or None while nobody knows it."""
        return None if self.amount_micros is None else self.amount_micros * MICRO
