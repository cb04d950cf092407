"""Who pays, and which users may act for them."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django_countries.fields import CountryField
from simple_history.models import HistoricalRecords

from billing_portal.custom_fields import CustomField


class Permission(StrEnum):
    """What a membership lets a user do for a client."""

    PROFILE = "profile"
    CONTACTS = "contacts"
    PRODUCTS = "products"
    MANAGE_PRODUCTS = "manageproducts"
    INVOICES = "invoices"
    ORDERS = "orders"
    EMAILS = "emails"


class ClientStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    CLOSED = "closed", "Closed"


class ClientGroup(models.Model):
    """Clients who are treated alike: a discount, and what automation leaves to people."""

    name = models.CharField(max_length=80, unique=True)
    colour = models.CharField(
        max_length=7,
        default="#64748b",
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "A colour such as #64748b.")],
    )
    discount_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Off every recurring price, as a line of its own.",
    )
    exempt_from_suspension = models.BooleanField(
        default=False,
        help_text="Overdue invoices neither suspend nor delete; trials and fixed terms still end.",
    )
    separate_invoices = models.BooleanField(
        default=False, help_text="One invoice per service instead of one for all."
    )
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["name", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(discount_percent__range=(0, 100)), name="a_discount_is_a_part"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ClientField(CustomField):
    """A further question to every client."""

    class Meta(CustomField.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="one_client_field_per_key"),
        ]


class Client(models.Model):
    """The billable party: a company or a person that owns services and gets invoices."""

    company_name = models.CharField(max_length=150, blank=True)
    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80)
    email = models.EmailField("e-mail address", help_text="Invoices and notices go here.")
    phone = models.CharField(max_length=30, blank=True)
    address1 = models.CharField("address", max_length=150)
    address2 = models.CharField("address line 2", max_length=150, blank=True)
    city = models.CharField(max_length=80)
    state = models.CharField("state or region", max_length=80, blank=True)
    postcode = models.CharField(max_length=20)
    country = CountryField()
    tax_id = models.CharField("tax or VAT id", max_length=40, blank=True)
    currency = models.CharField(
        max_length=3,
        validators=[RegexValidator(r"^[A-Z]{3}$", "Three capital letters, such as EUR.")],
        help_text="Fixed once the client has an invoice.",
    )
    status = models.CharField(
        max_length=10, choices=ClientStatus.choices, default=ClientStatus.ACTIVE
    )
    exempt_from_dunning = models.BooleanField(
        "no reminders and no suspension",
        default=False,
        help_text="Overdue invoices of this client are left to people.",
    )
    group = models.ForeignKey(
        ClientGroup, on_delete=models.PROTECT, null=True, blank=True, related_name="clients"
    )
    separate_invoices = models.BooleanField(
        default=False, help_text="One invoice per service instead of one for all."
    )
    tax_exempt = models.BooleanField(
        default=False, help_text="No tax on new invoices, whatever the rules say."
    )
    exempt_from_late_fees = models.BooleanField("no late fees", default=False)
    no_automatic_capture = models.BooleanField(
        "never charge a stored payment method by itself", default=False
    )
    payment_method = models.CharField(
        max_length=40,
        blank=True,
        help_text="How this client pays unless a service says otherwise.",
    )
    credit_balance = models.DecimalField(
        max_digits=14,
        decimal_places=3,
        default=Decimal(0),
        editable=False,
        help_text="The sum of the credit ledger; never below zero.",
    )
    buyer_reference = models.CharField(
        max_length=60,
        blank=True,
        help_text="Leitweg-ID or order reference, printed on e-invoices.",
    )
    custom_fields = models.JSONField(default=dict, blank=True)
    notes = models.TextField(blank=True, help_text="Only staff see this.")
    created_at = models.DateTimeField()
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="clients"
    )
    billing_problem = models.TextField(
        blank=True,
        editable=False,
        help_text="Why the last bill run parked this client; empty when all is well.",
    )
    history = HistoricalRecords(excluded_fields=["billing_problem", "credit_balance"])

    class Meta:
        ordering: ClassVar = ["company_name", "last_name", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(credit_balance__gte=0), name="credit_is_not_overspent"
            ),
        ]

    def __str__(self) -> str:
        return self.company_name or f"{self.first_name} {self.last_name}"


class Membership(models.Model):
    """That a user may act for a client, and for what."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    is_owner = models.BooleanField(default=False, help_text="Owners may do everything.")
    permissions = models.JSONField(
        default=list, blank=True, help_text="List of permission keys; ignored for the owner."
    )

    class Meta:
        ordering: ClassVar = ["client", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["client", "user"], name="one_membership_per_user"),
            models.UniqueConstraint(
                fields=["client"], condition=Q(is_owner=True), name="one_owner_per_client"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} for {self.client}"

    def allows(self, permission: Permission) -> bool:
        return self.is_owner or permission.value in self.permissions


class Contact(models.Model):
    """A person of a client who gets copies of mails but does not log in."""

    class Category(models.TextChoices):
        INVOICES = "invoices", "Invoices and payments"
        SERVICES = "services", "Services"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=150)
    email = models.EmailField("e-mail address")
    phone = models.CharField(max_length=30, blank=True)
    categories = models.JSONField(default=list, blank=True, help_text="Which mails are copied.")

    class Meta:
        ordering: ClassVar = ["client", "name", "pk"]

    def __str__(self) -> str:
        return self.name
