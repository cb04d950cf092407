"""The client area in a real browser: a visitor orders, pays, uses and changes a datastore.

At desktop and at phone width nothing leaves the host, nothing scrolls sideways, and the
console stays empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from backups.models import Datastore, SizeSpan
from billing_portal.accounts.models import User
from billing_portal.clients.models import Client, Permission
from billing_portal.orders.models import Order
from billing_portal.products.models import Product
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job, Placement, Server
from tests.factories import (
    make_client,
    make_member,
    make_placement,
    make_product,
    make_server,
    make_service,
    make_user,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SECRET = "s3cret-of-the-datastore"
PASSWORD = "correct horse 99"
GB = 10**9


@pytest.fixture(scope="module")
def chromium_browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@dataclass(slots=True)
class Visit:
    """One browser window, and everything it asked for or complained about."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)
        self.look()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_load_state()
        self.look()

    def look(self) -> None:
        """Nothing on the page in front may be wider than the window."""
        excess = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert excess <= 0, f"{self.page.url} is {excess} px too wide"

    @property
    def elsewhere(self) -> list[str]:
        """What was asked of any other host."""
        here = urlsplit(self.url).netloc
        return [r for r in self.requests if urlsplit(r).netloc not in ("", here)]


@pytest.fixture(params=WIDTHS)
def visit(request, chromium_browser, live_server) -> Iterator[Visit]:
    width, height = WIDTHS[request.param]
    context = chromium_browser.new_context(
        viewport={"width": width, "height": height},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    visit = Visit(page, live_server.url)
    page.on("request", lambda sent: visit.requests.append(sent.url))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda line: _note(visit, line.type, line.text))
    yield visit
    context.close()
    assert visit.elsewhere == []
    assert visit.complaints == []


def _note(visit: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        visit.complaints.append(text)


@pytest.fixture
def store() -> Product:
    make_server(module_key="remote_backups")
    return make_product(
        module_key="remote_backups",
        name="Backup datastore",
        slug="backup",
        setup_fee="5",
        usage={"storage": "10"},
        module_settings={"size_gb": 500, "min_size_gb": 500, "max_size_gb": 2000},
    )


def test_a_visitor_orders_pays_and_gets_a_datastore(visit, store):
    page = visit.page

    visit.open("/")
    page.get_by_role("link", name="Choose Backup datastore").click()
    page.get_by_label("Size in GB").fill("800")
    expect(page.locator("#quote")).to_contain_text("About €8.00 a month")
    page.get_by_label("Size in GB").fill("550")
    visit.press("Continue")
    expect(page.get_by_text("500 or 600 GB, not 550 GB.")).to_be_visible()
    expect(page.get_by_label("Size in GB")).to_be_focused()
    page.get_by_label("Size in GB").fill("800")
    page.get_by_label("Your name for it").fill("Office")
    visit.press("Continue")

    sign_up(visit)
    expect(page.get_by_role("heading", name="Review and order")).to_be_visible()
    page.get_by_label("Test payment").check()
    visit.press("Order and pay €5.00")
    visit.press("Pay €5.00")
    expect(page.get_by_text("Under way")).to_be_visible()

    come_true()
    expect(page.get_by_text("Everything is ready.")).to_be_visible()
    page.get_by_role("link", name="Open").click()
    page.wait_for_load_state()
    visit.look()
    expect(page.get_by_role("heading", name="Office")).to_be_visible()
    assert SECRET not in page.content()
    page.get_by_role("button", name="Show Password").click()
    expect(page.get_by_text(SECRET)).to_be_visible()
    page.locator("#row-password").get_by_role("button", name="Copy").click()
    expect(page.locator("#row-password").get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == SECRET


def test_changing_the_size_shows_the_price_then_the_work_then_the_result(visit, store):
    page = visit.page
    service = standing(log_in(visit), store)

    visit.open(f"/services/{service.pk}/")
    page.get_by_label("Size in GB").fill("1200")
    visit.press("See what it costs")
    expect(page.get_by_text("+€7.00")).to_be_visible()
    visit.press("Change to 1200 GB")
    expect(page.get_by_text("Queued, it starts in a moment.")).to_be_visible()

    come_true()
    expect(page.get_by_text("Queued, it starts in a moment.")).to_be_hidden()
    expect(page.get_by_text("Backup datastore, 1200 GB")).to_be_visible()


def test_a_double_click_on_the_order_button_is_one_order(visit, store):
    log_in(visit)
    visit.open("/order/backup/checkout/?cycle=monthly&label=Office&spec-size_gb=500")

    visit.page.get_by_role("button", name="Order and pay €5.00").dblclick()
    visit.page.wait_for_url("**/orders/*/")

    assert Order.objects.count() == 1


def test_the_chart_is_drawn_and_its_numbers_are_in_a_table(visit, store):
    page = visit.page
    service = standing(log_in(visit), store)
    record_growth(service)

    visit.open(f"/services/{service.pk}/")

    page.wait_for_function("window.Chart && Chart.getChart(document.querySelector('canvas'))")
    page.get_by_text("Show data").click()
    expect(page.get_by_role("cell", name="700 GB")).to_be_visible()
    visit.look()


def test_menus_work_by_keyboard(visit, store):
    page = visit.page
    log_in(visit)
    summary = page.locator("summary:visible").last

    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Contacts").locator("visible=true")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Contacts").locator("visible=true")).to_have_count(0)
    expect(summary).to_be_focused()


def test_somebody_with_two_clients_switches_between_them(visit, store):
    page = visit.page
    log_in(visit)
    other = make_client(company_name="Second and Much Longer Company Ltd")
    make_member(other, Permission.INVOICES, user=User.objects.get())

    visit.open("/")
    page.locator("summary:visible").first.click()
    visit.press("Second and Much Longer Company Ltd")

    expect(page.get_by_role("heading", name="Second and Much Longer Company Ltd")).to_be_visible()


def sign_up(visit: Visit) -> None:
    page = visit.page
    answers = {
        "E-mail address": "zoe@firm.example",
        "Password": PASSWORD,
        "First name": "Zoë",
        "Last name": "Straße",
        "Street and number": "Weg 1",
        "Postcode": "10115",
        "City": "Berlin",
    }
    for label, answer in answers.items():
        page.get_by_label(label).fill(answer)
    page.get_by_label("Country").select_option("DE")
    visit.press("Create account")


def log_in(visit: Visit) -> Client:
    """The client the browser acts for from now on."""
    user = make_user("ann@acme.example", name="Ann Smith", password=PASSWORD)
    visit.open("/accounts/login/")
    visit.page.get_by_label("E-mail address").fill(user.email)
    visit.page.get_by_label("Password").fill(PASSWORD)
    client = make_client(owner=user)
    visit.press("Log in")
    return client


def standing(client: Client, product: Product) -> Service:
    """An active datastore of 500 GB, ordered ten days ago."""
    service = make_service(
        client,
        product=product,
        spec={"size_gb": 500},
        label="Office",
        usage={"storage": "10"},
        created_at=now() - timedelta(days=10),
    )
    make_placement(service, server=Server.objects.get())
    return service


def record_growth(service: Service) -> None:
    """Hourly readings of ten days: 500 GB, and 700 GB since yesterday."""
    ordered, yesterday = now() - timedelta(days=10), now() - timedelta(days=1)
    datastore = Datastore.objects.create(
        server=service.placement.server,
        remote_id=service.placement.remote_id,
        service=service,
        name="backup-1",
        size_bytes=700 * GB,
        first_seen_at=ordered,
        last_seen_at=now(),
    )
    for size_gb, start, end in ((500, ordered, yesterday), (700, yesterday, None)):
        SizeSpan.objects.create(
            datastore=datastore,
            size_bytes=size_gb * GB,
            starts_at=start,
            first_seen_at=start,
            last_seen_at=end or now(),
            ends_at=end,
            source="poll",
        )


def come_true() -> None:
    """Do to the rows what the worker does once the vendor has answered."""
    job = Job.objects.get(status=Job.Status.QUEUED)
    service = job.service
    spec = job.spec or service.spec
    Placement.objects.update_or_create(
        service=service,
        defaults={
            "server": Server.objects.get(),
            "remote_id": "1",
            "spec": spec,
            "credentials": {
                "host": "fra1-1.vendor.example",
                "port": 8007,
                "username": "u1@pbs",
                "password": SECRET,
                "datastore": "678b9f3a",
            },
        },
    )
    service.status, service.spec, service.activated_at = ServiceStatus.ACTIVE, spec, now()
    service.save()
    job.status, job.finished_at = Job.Status.DONE, now()
    job.save()


def now() -> datetime:
    return datetime.now(UTC)
