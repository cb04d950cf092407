"""A process that only bills: `python -m tests.bench.billing <at> <workers> <share>`.

It says "ready", waits for a line, bills its share of the chunks and says what that cost.
"""

import json
import resource
import sys
import time
from collections.abc import Mapping
from decimal import Decimal

import django
from django.utils.dateparse import parse_datetime

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from billing_portal.calc.periods import Period  # noqa: E402
from billing_portal.workflows import bill_run  # noqa: E402
from provisioning import registry  # noqa: E402
from provisioning.contract import Usage  # noqa: E402
from tests.bench.measurement import StatementCounter  # noqa: E402
from tests.fakes import FakeModule, installed  # noqa: E402


def main(at: str, workers: int, share: int) -> None:
    moment = parse_datetime(at)
    assert moment
    real = settings.PORTAL_MODULES
    with installed(settings):
        settings.PORTAL_MODULES = real | settings.PORTAL_MODULES
        registry.modules.cache_clear()
        FakeModule.collect_usage = classmethod(used)  # type: ignore[method-assign, assignment]
        connection.ensure_connection()
        print("ready", flush=True)
        sys.stdin.readline()
        started, cpu, issued = time.perf_counter(), time.process_time(), 0
        with connection.execute_wrapper(counter := StatementCounter()):
            for client_ids in bill_run.chunks_due(moment)[share::workers]:
                report = bill_run.issue_chunk(client_ids, moment)
                assert not report.parked, report.parked[:3]
                issued += len(report.issued)
        print(
            json.dumps(
                {
                    "issued": issued,
                    "seconds": time.perf_counter() - started,
                    "cpu_s": time.process_time() - cpu,
                    "statements": counter.statements,
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
        )


def used(cls: type, windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
    """250.5 minutes at 0.02 in every window."""
    return {
        service_id: [
            Usage(
                metric="traffic",
                period=window,
                quantity=Decimal("250.5"),
                unit="min",
                unit_price=Decimal("0.02"),
                amount=Decimal("5.01"),
                currency="EUR",
                description="Calls",
                evidence={"calls": 85},
            )
        ]
        for service_id, window in windows.items()
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
