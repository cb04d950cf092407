"""The page of all datastores: what is odd, whose they are, and one click to mend it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from backups.client import RemoteBackupsClient
from backups.models import AccountCost, Datastore
from backups.sandbox import DEMO_TOKEN, serve
from backups.sandbox_control import SandboxControl
from billing_portal.audit.models import Entry
from provisioning.contract import ServerAccess
from tests.factories import AT, make_client, make_product, make_server, make_service

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def server():
    return make_server("reseller", module_key="remote_backups")


@pytest.fixture
def service():
    return make_service(
        make_client(company_name="Zeta Ltd"),
        product=make_product(module_key="remote_backups", name="Backup"),
        spec={"size_gb": 500, "name_prefix": "backup"},
        usage={"storage": "10"},
    )


def make_store(server, service=None, name="nas", **fields):
    return Datastore.objects.create(
        server=server,
        service=service,
        name=name,
        remote_id=f"id-{name}",
        size_bytes=500 * GB,
        used_bytes=100 * GB,
        first_seen_at=AT,
        last_seen_at=AT,
        **fields,
    )


def page_of(browser, query=""):
    response = browser.get(f"/staff/datastores/{query}")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_page_shows_size_use_client_service_and_margin(staff, server, service):
    make_store(server, service, f"backup-client{service.client_id}-service{service.pk}")
    AccountCost.objects.create(server=server, price_per_1000gb=Decimal(3), currency="EUR")

    page = page_of(staff)

    assert "Every datastore has its service" in page
    for text in ("Zeta Ltd", "500 GB", "100.0 GB, 20 %", "€1.50 / €5.00", "€3.50"):
        assert text in page


def test_an_empty_portal_says_so(staff):
    assert "No account yet" in page_of(staff)


def test_what_is_odd_stands_first_with_what_can_be_done(staff, server, service):
    orphan = make_store(server, name=f"backup-client{service.client_id}-service{service.pk}")

    page = page_of(staff)

    assert "No service knows it." in page
    assert f"/staff/datastores/{orphan.pk}/adopt/" in page
    assert "Service without a datastore" in page


def test_adopting_asks_first_and_then_links_with_a_trace(staff, boss, server, service):
    orphan = make_store(server, name=f"backup-client{service.client_id}-service{service.pk}")
    address = f"/staff/datastores/{orphan.pk}/adopt/"

    assert f"for {service} of Zeta Ltd" in staff.get(address).content.decode()
    assert Datastore.objects.get().service is None

    staff.post(address, {"confirm": "yes"})

    assert Datastore.objects.get().service == service
    assert Entry.objects.get(action="datastore.linked").actor == boss


def test_a_link_that_cannot_be_is_refused_with_a_sentence(staff, server, service):
    make_store(server, service, "taken")
    orphan = make_store(server)

    for number, sentence in [(service.pk, "already has taken."), (10**6, "There is no service")]:
        answer = staff.post(f"/staff/datastores/{orphan.pk}/link/", {"service": number})
        assert sentence in answer.content.decode()

    assert Datastore.objects.get(pk=orphan.pk).service is None


def test_ignoring_wants_a_reason(staff, server):
    orphan = make_store(server)

    staff.post(f"/staff/datastores/{orphan.pk}/ignore/", {"confirm": "yes"})
    assert "No service knows it." in page_of(staff)

    staff.post(f"/staff/datastores/{orphan.pk}/ignore/", {"reason": "ours"})
    assert "No service knows it." not in page_of(staff)
    assert "Report again" in page_of(staff)


def test_finding_looks_at_names_clients_and_accounts(staff, server, service):
    make_store(server, service, "first")
    make_store(server, None, "second")

    found = page_of(staff, "?q=zeta")

    listed = found[found.index('id="all"') :]
    assert "first" in listed
    assert "second" not in listed


def test_long_lists_have_pages(staff, server, django_assert_max_num_queries):
    for number in range(60):
        make_store(server, name=f"nas-{number:03}")

    with django_assert_max_num_queries(30):
        first = page_of(staff)

    assert "Page 1 of 2" in first
    assert "These are the first 50 of 60." in first
    assert "nas-059" in page_of(staff, "?page=2")


def test_the_vendor_s_log_stands_beside_what_was_recorded(staff):
    sandbox = serve("127.0.0.1", 0).start()
    try:
        remote = SandboxControl(sandbox.url)
        vendor = RemoteBackupsClient(ServerAccess(1, sandbox.url, {"token": DEMO_TOKEN}))
        remote_id = vendor.create_datastore("nas", size_gb=500)
        remote.resize(remote_id, 700, at=remote.clock() + timedelta(microseconds=1))
        server = make_server(
            module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
        )
        store = make_store(server)
        Datastore.objects.update(remote_id=remote_id)
        remote.set_clock(remote.clock() + timedelta(seconds=5))

        page = staff.post(f"/staff/datastores/{store.pk}/log/").content.decode()
        remote.fault("503")
        failed = staff.post(f"/staff/datastores/{store.pk}/log/", follow=True).content.decode()
    finally:
        sandbox.shutdown()

    assert "700 GB" in page
    assert "Not so" in page
    assert "log could not be read" in failed


@pytest.mark.parametrize(
    ("role", "sees", "may"), [("Support", 200, 200), ("Read only", 200, 403), ("", 403, 403)]
)
def test_who_may_see_and_who_may_act(as_role, server, role, sees, may):
    orphan, browser = make_store(server), as_role(role)

    assert browser.get("/staff/datastores/").status_code == sees
    assert browser.get(f"/staff/datastores/{orphan.pk}/link/").status_code == may


def test_an_unknown_deed_is_not_found(staff, server):
    assert staff.get(f"/staff/datastores/{make_store(server).pk}/explode/").status_code == 404
