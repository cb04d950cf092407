"""Watching and waking the queue from a story."""

import time

from provisioning import tasks
from provisioning.models import Job


def wait_for_a_waiting_job(timeout_s: float = 15) -> Job:
    """The one job, once it was tried and waits for its next try."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        job = Job.objects.get()
        if job.status == Job.Status.QUEUED and job.attempts:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{job} is {job.status} after {job.attempts} attempts")


def ring() -> None:
    """What beat does each minute: send every due job to the worker again."""
    tasks.sweep()
