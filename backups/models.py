"""What stood at the vendor, and since when: datastores and the spans of their sizes."""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing_portal.services.models import Service
from provisioning.models import Server

from .answers import BYTES_PER_GB, in_gb
from .spans import Source

SOURCES = {
    Source.POLL.value: "Seen in the hourly list",
    Source.LOG.value: "The vendor's rescale log",
    Source.JOB.value: "Our own change",
    Source.CREATED.value: "Created at the vendor",
}


class Datastore(models.Model):
    """One datastore of an account, kept for the bills after it is gone.

    `size_bytes` and `used_bytes` are what was last seen, at `last_seen_at`.  `deleted_at`
    is when we deleted it; `missing_at` is when it was first missing from the vendor's list
    without our doing.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="datastores")
    remote_id = models.CharField(max_length=120)
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="datastores"
    )
    name = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField(help_text="Provisioned, as last seen.")
    used_bytes = models.BigIntegerField(
        null=True, blank=True, help_text="As last seen; empty if the vendor did not say."
    )
    created_at = models.DateTimeField(null=True, blank=True, help_text="According to the vendor.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    missing_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    settings = models.JSONField(
        default=dict, blank=True, help_text="Speed, autoscaling and retention, as last seen."
    )
    alerted_percent = models.PositiveSmallIntegerField(
        default=0, help_text="The highest use the client was told of; 0 below all of them."
    )
    over_max_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it is larger than its product sells."
    )
    ignored_at = models.DateTimeField(
        null=True, blank=True, help_text="Staff know that no service has it, or that it differs."
    )
    ignored_reason = models.CharField(max_length=200, blank=True)
    charged_until = models.DateTimeField(
        null=True, blank=True, help_text="Sizes before this moment are on an invoice and stay."
    )

    class Meta:
        ordering: ClassVar = ["server", "name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "remote_id"], name="one_row_per_datastore"),
            models.CheckConstraint(condition=Q(size_bytes__gte=0), name="size_not_negative"),
            models.CheckConstraint(
                condition=Q(last_seen_at__gte=F("first_seen_at")),
                name="datastore_seen_first_then_last",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def size_gb(self) -> int | Decimal:
        return in_gb(self.size_bytes)

    @property
    def used_gb(self) -> Decimal | None:
        return None if self.used_bytes is None else Decimal(self.used_bytes) / BYTES_PER_GB

    @property
    def used_percent(self) -> int | None:
        """How full it is, rounded down; None if the vendor did not say."""
        if self.used_bytes is None or not self.size_bytes:
            return None
        return self.used_bytes * 100 // self.size_bytes


class SizeSpan(models.Model):
    """One size of a datastore for one stretch of time, `[starts_at, ends_at)`.

    The spans of a datastore follow each other without a break.  Between the `last_seen_at`
    of one and the `first_seen_at` of the next nobody was looking.  The open span, with no
    end, is the present size.
    """

    datastore = models.ForeignKey(Datastore, on_delete=models.PROTECT, related_name="spans")
    size_bytes = models.BigIntegerField()
    starts_at = models.DateTimeField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Excluded; empty: it stands.")
    source = models.CharField(max_length=8, choices=SOURCES, help_text="How the start is known.")

    class Meta:
        ordering: ClassVar = ["datastore", "starts_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["datastore"], condition=Q(ends_at__isnull=True), name="one_open_span"
            ),
            models.CheckConstraint(condition=Q(size_bytes__gte=0), name="span_size_not_negative"),
            models.CheckConstraint(
                # Equal where a decrease counts from the last sighting: a size seen only once
                # may have no length at all.
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("last_seen_at")),
                name="span_ends_after_it_was_seen",
            ),
            models.CheckConstraint(
                condition=Q(last_seen_at__gte=F("first_seen_at"))
                & Q(first_seen_at__gte=F("starts_at")),
                name="span_seen_first_then_last",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.datastore}: {in_gb(self.size_bytes)} GB from {self.starts_at}"

    @property
    def size_gb(self) -> int | Decimal:
        return in_gb(self.size_bytes)


class LateSize(models.Model):
    """A stretch `[starts_at, ends_at)` charged at one size that had another, learned later.

    The recorded spans stay as they were billed.  The difference is a charge of its own with
    the next window; `charge_ref` is that charge.
    """

    datastore = models.ForeignKey(Datastore, on_delete=models.PROTECT, related_name="late_sizes")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Excluded.")
    billed_bytes = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    source = models.CharField(max_length=8, choices=SOURCES, help_text="How it became known.")
    noted_at = models.DateTimeField()
    charge_ref = models.BigIntegerField(null=True, blank=True, help_text="Empty: not yet charged.")

    class Meta:
        ordering: ClassVar = ["datastore", "starts_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["datastore", "starts_at"], name="one_late_size"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="late_size_runs_forward"
            ),
        ]

    def __str__(self) -> str:
        billed, was = in_gb(self.billed_bytes), in_gb(self.size_bytes)
        return f"{self.datastore}: {was} GB, not {billed} GB, from {self.starts_at}"


class UseGraph(models.Model):
    """The vendor's graph of one datastore and range, as it last told it.

    `points` are `[unix seconds, used bytes, provisioned bytes, read, written]`, oldest
    first; traffic the vendor did not tell is null.  `asked_at` is when it was last asked,
    `as_of` when it last answered; `problem` is why it did not since.
    """

    datastore = models.ForeignKey(Datastore, on_delete=models.CASCADE, related_name="graphs")
    reach = models.CharField(max_length=8)
    points = models.JSONField(default=list, blank=True)
    asked_at = models.DateTimeField()
    as_of = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["datastore", "reach"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["datastore", "reach"], name="one_graph_per_reach"),
        ]

    def __str__(self) -> str:
        return f"{self.datastore}, last {self.reach}"


class AccountCost(models.Model):
    """What the vendor charges for an account, to be set beside what clients pay."""

    server = models.OneToOneField(Server, on_delete=models.PROTECT, related_name="storage_cost")
    price_per_1000gb = models.DecimalField(
        max_digits=12, decimal_places=4, help_text="Per 1000 GB and month."
    )
    currency = models.CharField(max_length=3)

    class Meta:
        ordering: ClassVar = ["server"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(price_per_1000gb__gte=0), name="storage_cost_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server}: {self.price_per_1000gb} {self.currency} per 1000 GB"
