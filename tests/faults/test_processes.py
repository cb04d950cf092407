"""Workers as production runs them: processes of their own around a real Redis, and killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection
from redis import Redis

from backups.sandbox import DEMO_TOKEN, serve
from backups.sandbox_control import SandboxControl
from billing_portal.clock.reading import now
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning import actions
from provisioning.models import Job
from tests.factories import make_product, make_server, make_service
from tests.settings import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

LEASE_S = 2
SPEC = {"size_gb": 500, "name_prefix": "backup"}


@pytest.fixture
def vendor() -> Iterator[SandboxControl]:
    sandbox = serve("127.0.0.1", 0).start()
    control = SandboxControl(sandbox.url)
    make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    yield control
    sandbox.shutdown()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
def ring(redis_url: str) -> Callable[[], None]:
    """What beat does each minute: ask some worker to look for due jobs."""
    with_broker = Celery(broker=redis_url, set_as_current=False)
    return lambda: with_broker.send_task("provisioning.tasks.sweep", ignore_result=True)


@pytest.fixture
def start_worker(
    redis_url: str, tmp_path: Path
) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Start a worker process on the test's database; all are gone after the test."""
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": redis_url,
        "JOB_LEASE_S": str(LEASE_S),
    }
    command = [sys.executable, "-m", "celery", "-A", "billing_portal.celery", "worker"]
    started = list["subprocess.Popen[bytes]"]()

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [*command, "--pool", "solo", "--without-mingle", "--without-gossip"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def database_url() -> str:
    """The test's database as another process reaches it."""
    database: dict[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    place = f"{database['HOST']}:{database['PORT'] or 5432}" if database["HOST"] else ""
    socket = f"?host={host}" if (host := database["OPTIONS"].get("host")) else ""
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@{place}/{database['NAME']}{socket}"
    )


def order_datastore() -> Job:
    product = make_product(module_key="remote_backups", module_settings=SPEC)
    service = make_service(product=product, status=ServiceStatus.PENDING, spec=SPEC)
    return actions.request_create(service.pk, request_key=f"create-{service.pk}", at=now())


def wait_until(is_so: Callable[[], bool], *, every: Callable[[], None] | None = None) -> None:
    """Look four times a second, and do `every` once a second, for half a minute at most."""
    for look in range(120):
        if is_so():
            return
        if every and look % 4 == 0:
            every()
        time.sleep(0.25)
    raise AssertionError(f"not so after 30 s: {list(Job.objects.values())}")


def all_done() -> bool:
    return not Job.objects.exclude(status=Job.Status.DONE).exists()


def test_a_worker_killed_after_the_vendor_acted_leaves_one_datastore_and_one_finished_job(
    vendor, redis, ring, start_worker
):
    vendor.fault("delay", method="POST", delay_s=20)
    job = order_datastore()
    first = start_worker()
    ring()
    wait_until(lambda: vendor.datastores() != [])
    first.kill()

    start_worker()
    wait_until(all_done, every=ring)

    job.refresh_from_db()
    service = Service.objects.select_related("placement").get()
    assert [one["_id"] for one in vendor.datastores()] == [service.placement.remote_id]
    assert (job.attempts, service.status) == (2, ServiceStatus.ACTIVE)


def test_a_flushed_redis_loses_no_job(vendor, redis, ring, start_worker):
    jobs = [order_datastore(), order_datastore()]
    ring()
    redis.flushall()

    start_worker()
    wait_until(all_done, every=ring)

    assert [job.attempts for job in Job.objects.order_by("pk")] == [1, 1]
    assert len(vendor.datastores()) == len(jobs)
