"""Where payment gateways report: no log-in and no form, but a signature."""

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing_portal.clock.reading import now
from billing_portal.payments import registry
from billing_portal.payments.contract import NotGenuine, ReportingGateway
from billing_portal.workflows.invoice_paid import apply_webhook

logger = logging.getLogger(__name__)


@csrf_exempt  # the signature says who it is
@require_POST
def webhook(request: HttpRequest, key: str) -> HttpResponse:
    """Store a genuine event and apply it; 200 as soon as it is kept, whatever came of it.

    404 for a gateway that reports nothing here, 403 for what is not signed by it.
    """
    gateway: object = next((one for one in registry.gateways() if one.key == key), None)
    if not isinstance(gateway, ReportingGateway):
        raise Http404
    at = now()
    try:
        delivery = gateway.verify(request.headers, request.body, at=at)
    except NotGenuine as error:
        logger.warning("refused an event for %s: %s", key, error)
        return HttpResponse(str(error), status=403, content_type="text/plain")
    apply_webhook(key, event_id=delivery.event_id, body=delivery.body, at=at)
    return HttpResponse("kept", content_type="text/plain")
