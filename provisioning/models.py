"""Remote places, and every wish to change something there."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from billing_portal.encryption import EncryptedJSONField
from billing_portal.services.models import Service


class Server(models.Model):
    """One PBX, or one account at remote-backups.com."""

    module_key = models.CharField("module", max_length=40)
    name = models.CharField(max_length=80, unique=True)
    base_url = models.URLField("address", help_text="https://host[:port]")
    credentials = EncryptedJSONField(help_text="Token or passwords, encrypted.")
    is_default = models.BooleanField(default=False, help_text="New services go here first.")
    disabled = models.BooleanField(default=False, help_text="Takes no new services.")
    max_services = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty for no limit of ours."
    )
    notes = models.TextField(blank=True)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="Jobs wait until then, because the server did not answer."
    )
    pause_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["module_key", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["module_key"],
                condition=Q(is_default=True),
                name="one_default_server_per_module",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """Where a service lives: the server, the remote object, and how the client gets in.

    Made when the create job is queued, so the server is chosen once.  `remote_id` is
    empty until the module answered.  `details` is the vendor's last description.
    """

    service = models.OneToOneField(Service, on_delete=models.PROTECT, related_name="placement")
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="placements")
    remote_id = models.CharField(max_length=120, blank=True)
    remote_name = models.CharField(max_length=200, blank=True)
    credentials = EncryptedJSONField(help_text="What the client needs to connect, encrypted.")
    spec = models.JSONField(default=dict, blank=True, help_text="What stands, per the last answer.")
    details = models.JSONField(default=dict, blank=True)
    suspended = models.BooleanField(default=False, help_text="Switched off at the vendor.")
    placed_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When the vendor last spoke.")
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["server", "remote_id"],
                condition=~Q(remote_id=""),
                name="one_service_per_remote_object",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} on {self.server}"


class Job(models.Model):
    """One wish for remote work.  The row is the queue; Celery is only the doorbell."""

    class Kind(models.TextChoices):
        CREATE = "create", "Create"
        RESIZE = "resize", "Resize"
        SUSPEND = "suspend", "Suspend"
        UNSUSPEND = "unsuspend", "Unsuspend"
        CHANGE_PASSWORD = "change_password", "Change password"
        TERMINATE = "terminate", "Terminate"
        REFRESH = "refresh", "Refresh"
        CONFIGURE = "configure", "Change settings"

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        RESOLVED = "resolved", "Resolved by hand"

    OPEN: ClassVar = (Status.QUEUED, Status.RUNNING)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    spec = models.JSONField(default=dict, blank=True)
    request_key = models.CharField(max_length=120, unique=True, help_text="Names the wish.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    due_at = models.DateTimeField(help_text="Not tried before.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=36, blank=True, editable=False)
    last_error = models.TextField(blank=True)
    requested_by = models.CharField(max_length=150, blank=True, help_text="Who wished it.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            models.Index(fields=["status", "due_at"]),
            models.Index(fields=["service", "status"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service"],
                condition=Q(status="running"),
                name="one_running_job_per_service",
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}: {self.kind} service {self.service_id}"


class ModuleLog(models.Model):
    """One exchange with a vendor, secrets masked.  What support reads first."""

    at = models.DateTimeField(db_index=True)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="log")
    job = models.ForeignKey(
        Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="log"
    )
    service = models.ForeignKey(
        Service, on_delete=models.SET_NULL, null=True, blank=True, related_name="module_log"
    )
    action = models.CharField(max_length=200)
    request: Any = models.JSONField(null=True, blank=True)
    response: Any = models.JSONField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: no answer.")
    duration_ms = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "module log entry"
        verbose_name_plural = "module log"
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.action}: {self.status or 'no answer'}"
