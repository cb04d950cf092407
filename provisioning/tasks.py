"""Celery's side of provisioning: the doorbell and the sweep."""

from celery import shared_task

from billing_portal.clock.reading import now
from provisioning import runner


@shared_task(acks_late=True, ignore_result=True)
def run_job(*, job_id: int) -> None:
    """Carry out one job.  Harmless if delivered twice, early or late."""
    runner.run(job_id, at=now())


@shared_task(acks_late=True, ignore_result=True)
def sweep() -> None:
    """Ring again for every due job nobody is working on."""
    for job_id in runner.due_jobs(at=now()):
        run_job.delay(job_id=job_id)
