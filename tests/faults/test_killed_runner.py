"""The runner in a process of its own, killed or overtaken in the middle of a remote call.

No broker is needed: what must hold is between the row, the lease and the vendor.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backups.sandbox import DEMO_TOKEN, serve
from backups.sandbox_control import SandboxControl
from billing_portal.clock.reading import now
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import actions, runner
from provisioning.models import Job, Placement
from tests.factories import make_product, make_server, make_service
from tests.faults.test_processes import database_url
from tests.settings import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

LEASE_S = 1
SPEC = {"size_gb": 500, "name_prefix": "backup"}
SETTINGS = {"size_gb": 500, "min_size_gb": 500, "max_size_gb": 5000, "name_prefix": "backup"}
RUN = """
import sys, django
django.setup()
from billing_portal.clock.reading import now
from provisioning import runner
runner.run(int(sys.argv[1]), at=now())
"""

Worker = subprocess.Popen[bytes]


@pytest.fixture
def vendor() -> Iterator[SandboxControl]:
    sandbox = serve("127.0.0.1", 0).start()
    make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    yield SandboxControl(sandbox.url)
    sandbox.shutdown()


@pytest.fixture
def job(vendor: SandboxControl) -> Job:
    """A creation that waits."""
    product = make_product(module_key="remote_backups", module_settings=SETTINGS)
    service = make_service(product=product, status=ServiceStatus.PENDING, spec=SPEC)
    return actions.request_create(service.pk, request_key="create", at=now())


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[Callable[[Job], Worker]]:
    """Run a job in another process; what it said is in `run.log`."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "JOB_LEASE_S": str(LEASE_S),
    }
    started: list[Worker] = []

    def start(job: Job) -> Worker:
        with (tmp_path / "run.log").open("ab") as log:
            command = [sys.executable, "-c", RUN, str(job.pk)]
            worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, list(Job.objects.values())
        time.sleep(0.05)


def after_the_lease():
    return now() + timedelta(seconds=LEASE_S + 1)


def is_asked(vendor: SandboxControl, request: str) -> bool:
    return request in vendor.requests()


@pytest.mark.parametrize(
    ("slow", "made_before"), [("POST", 1), ("GET", 0)], ids=["after it acted", "before it acted"]
)
def test_a_job_whose_worker_was_killed_in_a_call_finishes_once(
    vendor, job, start_run, settings, slow, made_before
):
    settings.JOB_LEASE_S = LEASE_S
    vendor.fault("delay", method=slow, delay_s=20)
    worker = start_run(job)
    wait_until(lambda: is_asked(vendor, f"{slow} /reseller/datastore"))
    worker.kill()
    worker.wait()
    assert len(vendor.datastores()) == made_before
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.RUNNING, 1)

    runner.run(job.pk, at=now() - timedelta(seconds=60))  # the lease still holds then
    job.refresh_from_db()
    assert job.attempts == 1

    runner.run(job.pk, at=after_the_lease())

    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)
    (datastore,) = vendor.datastores()
    assert Placement.objects.get().remote_id == datastore["_id"]
    assert Service.objects.get().status == ServiceStatus.ACTIVE


def test_a_worker_that_comes_back_after_its_lease_changes_nothing(vendor, job, start_run, tmp_path):
    vendor.fault("delay", method="POST", delay_s=4)
    slow = start_run(job)
    wait_until(lambda: vendor.datastores() != [])

    runner.run(job.pk, at=after_the_lease())
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)
    before = list(Placement.objects.values())
    slow.wait(30)

    assert (slow.returncode, list(Placement.objects.values())) == (0, before)
    assert f"{job} outlived its lease" in (tmp_path / "run.log").read_text()
    assert len(vendor.datastores()) == 1
    # It stopped right there: it did not even look at what it had made.
    assert vendor.requests().count(f"GET /reseller/datastore/{before[0]['remote_id']}") == 1
