"""Collecting calls, every few minutes, each server on its own."""

import logging

from celery import shared_task

from billing_portal.clock.reading import now
from provisioning.contract import ModuleError
from provisioning.models import Server

from . import calls
from .module import FusionPbxModule

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def import_all_calls() -> None:
    """Ask for the new calls of every PBX.  Harmless if delivered twice, early or late."""
    pbxs = Server.objects.filter(module_key=FusionPbxModule.key).order_by("pk")
    for server_id in pbxs.values_list("pk", flat=True):
        import_calls.delay(server_id=server_id)


@shared_task(acks_late=True, ignore_result=True)
def import_calls(*, server_id: int) -> None:
    """Store the new calls of one PBX.  Harmless if delivered twice, early or late.

    A PBX that does not answer is asked again at the next turn; its cursor says why.
    """
    try:
        report = calls.import_since(server_id, at=now())
    except ModuleError as error:
        logger.warning("calls of server %s were not imported: %s", server_id, error)
        return
    if report.added:
        logger.info("server %s: %s new calls", server_id, report.added)
    if report.unrated:
        logger.warning("server %s: %s calls have no price", server_id, report.unrated)
