"""The hourly look at an account of 10,000 datastores: written down in one transaction.

The vendor's answer is made up here; what is measured is what follows it.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection

from backups import sizes
from backups.models import Datastore, SizeSpan
from backups.span_rows import Look, Observation
from tests.bench.measurement import Measurement, StatementCounter
from tests.factories import make_server

DATASTORES = 10_000
GB = 10**9
START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY = 20
"""Every twentieth datastore grows in the last hour."""


def measure() -> Iterator[Measurement]:
    server_id = make_server(module_key="remote_backups").pk
    yield _hour(server_id, 0, "record sizes, all new", grown=0)
    assert SizeSpan.objects.count() == DATASTORES
    yield _hour(server_id, 1, "record sizes, nothing changed", grown=0)
    assert SizeSpan.objects.count() == DATASTORES
    yield _hour(server_id, 2, "record sizes, one in 20 grew", grown=DATASTORES // EVERY)
    assert SizeSpan.objects.count() == DATASTORES + DATASTORES // EVERY


def _hour(server_id: int, hour: int, name: str, *, grown: int) -> Measurement:
    at = START + hour * HOUR
    known = dict(Datastore.objects.values_list("remote_id", "last_seen_at"))
    look = Look(server_id, at, [_seen(number, grown) for number in range(DATASTORES)], known)
    with connection.execute_wrapper(counter := StatementCounter()):
        started = time.perf_counter()
        recorded = sizes.record(look)
        seconds = time.perf_counter() - started
    assert recorded.seen == DATASTORES, recorded
    assert len(recorded.changed) == grown
    note = f"{counter.statements} statements in all"
    return Measurement(name, DATASTORES, "datastores", seconds, note)


def _seen(number: int, grown: int) -> Observation:
    size_gb = 600 if number < grown else 500
    return Observation(
        remote_id=f"{number:024x}",
        name=f"backup-client{number}-service{number}",
        size_bytes=size_gb * GB,
        used_bytes=123 * GB,
        created_at=START,
        settings={"autoscaling_enabled": True, "speed_mbit": 250},
    )
