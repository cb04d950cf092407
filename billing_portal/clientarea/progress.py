"""How far the work on a service is, in a client's words.  Errors of vendors stay with staff."""

from dataclasses import dataclass
from datetime import datetime

from provisioning.models import Job

DOING = {
    Job.Kind.CREATE: "Setting it up",
    Job.Kind.RESIZE: "Changing it",
    Job.Kind.SUSPEND: "Suspending it",
    Job.Kind.UNSUSPEND: "Switching it on again",
    Job.Kind.CHANGE_PASSWORD: "Changing the passwords",
    Job.Kind.TERMINATE: "Removing it",
    Job.Kind.REFRESH: "Looking at its present state",
    Job.Kind.CONFIGURE: "Changing its settings",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """One job as a line: what is being done, how far it is, and since when."""

    what: str
    step: str
    since: datetime
    next_try: datetime | None
    is_open: bool


def progress(job: Job | None, *, at: datetime) -> Progress | None:
    """The newest job if somebody is waiting for it: open, or failed and not yet mended."""
    if job is None or job.status not in (*Job.OPEN, Job.Status.FAILED):
        return None
    later = job.due_at if job.status == Job.Status.QUEUED and job.due_at > at else None
    return Progress(
        what=DOING[Job.Kind(job.kind)],
        step=_step(job, later),
        since=job.created_at,
        next_try=later,
        is_open=job.status in Job.OPEN,
    )


def _step(job: Job, later: datetime | None) -> str:
    if job.status == Job.Status.FAILED:
        return "It did not work, and we are looking into it. You need not do anything."
    if later or job.attempts > 1:
        return "The server did not answer yet. We keep trying."
    if job.status == Job.Status.RUNNING:
        return "Under way, usually less than a minute."
    return "Queued, it starts in a moment."
