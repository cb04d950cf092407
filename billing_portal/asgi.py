"""The portal as ASGI application."""

import os
from importlib import import_module

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
import_module("billing_portal.celery")  # tasks sent by this process need the app
application = get_asgi_application()
