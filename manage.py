#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists every operator command."""

import os
import sys
from importlib import import_module

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
    import_module("billing_portal.celery")  # tasks sent by commands need the app
    execute_from_command_line(sys.argv)
