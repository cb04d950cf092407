"""What stands at the vendor now, next to what was wished: a datastore grows by itself.

The newest sighting counts: the hourly reading of a datastore, else the answer to the last
job.
"""

from typing import Any

from django.db.models import Prefetch, QuerySet

from backups.models import Datastore
from billing_portal.clientarea import offers
from billing_portal.services.models import Service
from provisioning.models import Job


def with_standing(services: QuerySet[Service]) -> QuerySet[Service]:
    """The services with all that the pages say about them, in a fixed number of queries."""
    return (
        services.select_related("client", "product", "placement", "order_item")
        .defer("placement__credentials")
        .prefetch_related(
            "usage_prices",
            Prefetch("jobs", queryset=Job.objects.order_by("-pk")),
            Prefetch("datastores", queryset=Datastore.objects.order_by("-pk")),
        )
    )


def standing_spec(service: Service) -> dict[str, Any]:
    """The spec with the numbers that stand: wished were 500 GB, it grew to {"size_gb": 700}."""
    return {**service.spec, **_numbers(service)}


def summary(service: Service) -> str:
    """What stands, in a few words: "700 GB"."""
    return offers.summary(service.product, standing_spec(service))


def latest_job(service: Service) -> Job | None:
    return next(iter(service.jobs.all()), None)


def _numbers(service: Service) -> dict[str, int]:
    placement = getattr(service, "placement", None)
    seen = dict(placement.spec) if placement else {}
    if datastores := list(service.datastores.all()):
        seen["size_gb"] = datastores[0].size_gb
    return {
        name: seen[name]
        for name, value in service.spec.items()
        if type(value) is int and type(seen.get(name)) is int
    }
