"""One benchmark in a process of its own: prints a JSON object per measurement."""

import json
import os
import resource
import sys
from dataclasses import asdict
from importlib import import_module

import django
from django.test.utils import setup_databases, teardown_databases

from billing_portal.celery import app


def main(name: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    app.send_task = lambda *args, **kwargs: None  # nobody would carry them out
    databases = setup_databases(verbosity=0, interactive=False, aliases=["default"])
    try:
        for measured in import_module(f"tests.bench.bench_{name}").measure():
            peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            row = {**asdict(measured), "per_second": measured.per_second, "peak_mib": peak_mib}
            print(json.dumps(row), flush=True)
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main(sys.argv[1])
