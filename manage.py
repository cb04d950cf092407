#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists every operator command."""

import os
import sys
from importlib import import_module

from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError

NO_TABLE = ("no such table", "does not exist", "no such column")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
    import_module("billing_portal.celery")  # tasks sent by commands need the app
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if any(text in str(error) for text in NO_TABLE):
            sys.exit(f"The database is not set up or out of date ({error}): run manage.py migrate.")
        raise


if __name__ == "__main__":
    main()
