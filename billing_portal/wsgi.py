"""The portal as WSGI application."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
import_module("billing_portal.celery")  # tasks sent by this process need the app
application = get_wsgi_application()
