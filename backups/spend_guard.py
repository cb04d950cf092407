"""When autoscaling takes a datastore beyond what its product sells: tell, and stop it if wished.

The vendor lets a datastore grow to 20 TB whatever was ordered.  Client and staff are told
once per crossing, and again after it was back within the product's largest size.
"""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from billing_portal.audit import actions as audit
from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.mail import actions as mail
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from provisioning import actions as provisioning

from .answers import BYTES_PER_GB
from .forms import STOP, ProductSettings
from .models import Datastore
from .queries import MODULE_KEY
from .use_alerts import RUNNING

logger = logging.getLogger(__name__)


def guard(server_id: int, *, at: datetime) -> list[str]:
    """Deal with what grew beyond its product by the last look; say what, in order of name.

    Safe to repeat.  A fixed number of queries while nothing crosses the line.
    """
    beyond = _beyond()
    if beyond is None:
        return []
    standing = _standing(server_id)
    standing.filter(~beyond, over_max_at__isnull=False).update(over_max_at=None)
    crossed = standing.filter(beyond, over_max_at=None)
    told = []
    for row in crossed.select_related("service__client", "service__product").order_by("name", "pk"):
        service = row.service
        assert service is not None  # the query asks for its status
        if _tell(row, service, at=at):
            told.append(f"{row.name}: {row.size_gb} GB")
    return told


def _beyond() -> Q | None:
    """Larger than the product of its service sells; None without such products."""
    found: Q | None = None
    for pk, raw in Product.objects.filter(module_key=MODULE_KEY).values_list(
        "pk", "module_settings"
    ):
        largest = ProductSettings.read(raw).max_size_gb * BYTES_PER_GB
        one = Q(service__product_id=pk, size_bytes__gt=largest)
        found = one if found is None else found | one
    return found


def _standing(server_id: int) -> QuerySet[Datastore]:
    running = Service.objects.filter(status__in=RUNNING)
    return Datastore.objects.filter(
        server_id=server_id, deleted_at=None, missing_at=None, service__in=running
    )


def _tell(row: Datastore, service: Service, *, at: datetime) -> bool:
    """Note the crossing, mail both sides and stop it if wished; only one caller wins."""
    limits = ProductSettings.read(service.product.module_settings)
    with transaction.atomic():
        mine = Datastore.objects.filter(pk=row.pk, over_max_at=None)
        if not mine.update(over_max_at=at):
            return False
        stops = _stop(row, service, limits, at=at)
        key = f"{row.pk}:{at:%Y-%m-%dT%H:%M:%S}"
        context = {
            "client": str(service.client),
            "service": str(service),
            "size_gb": str(row.size_gb),
            "limit_gb": limits.max_size_gb,
            "stops": stops,
        }
        own = {**context, "path": f"/services/{service.pk}/"}
        notify(service.client, "datastore_beyond_limit", key=key, context=own, at=at)
        mail.send(
            "datastore_beyond_limit_staff",
            to=settings.SELLER_EMAIL,
            key=key,
            context={**context, "path": f"/staff/services/service/{service.pk}/"},
            at=at,
        )
        audit.record(
            "datastore.beyond_limit",
            service,
            summary=f"{row.name} has {row.size_gb} GB, the product sells {limits.max_size_gb} GB"
            + ("; autoscaling is switched off" if stops else ""),
            at=at,
            client_id=service.client_id,
        )
    return True


def _stop(row: Datastore, service: Service, limits: ProductSettings, *, at: datetime) -> bool:
    """Wish autoscaling off where the product says so; whether that was possible."""
    if limits.beyond_max != STOP or not row.settings.get("autoscaling_enabled"):
        return False
    try:
        with transaction.atomic():
            provisioning.request_configure(
                service.pk,
                changes={"autoscaling_enabled": False},
                request_key=f"guard:{row.pk}:{at.isoformat()}",
                at=at,
                requested_by="spend guard",
            )
    except PortalError as error:
        logger.warning("autoscaling of datastore %s stays on: %s", row.pk, error)
        return False
    return True
