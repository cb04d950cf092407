"""The staff dashboard in a real browser, on a desktop and on a phone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from billing_portal.accounts.models import User
from provisioning.models import Job
from tests import fakes
from tests.factories import make_user
from tests.staff.world import World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Troubles(list[str]):
    """What a person would not see: errors in the console, failed and foreign requests."""

    def watch(self, page: Page, home: str) -> None:
        page.on("console", lambda m: self.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((home, "data:", "blob:")) else self.append(r.url),
        )
        page.on(
            "response",
            lambda r: self.append(f"{r.status} {r.url}") if r.status >= 400 else None,
        )


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def world(transactional_db: None, settings: Any) -> Iterator[World]:
    settings.ACCOUNT_RATE_LIMITS = False
    with fakes.installed(settings):
        make_user(
            "boss@example.org",
            password=PASSWORD,
            name="Bo Boss",
            is_staff=True,
            is_superuser=True,
        )
        yield make_world()


@pytest.fixture
def log_in(chromium: Browser, live_server: Any, world: World) -> Iterator[Callable[..., Page]]:
    """A logged-in page of the given size, and the troubles it met so far as `troubles`."""
    contexts: list[BrowserContext] = []

    def start(size: str = "desktop", **options: Any) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.troubles = Troubles()  # type: ignore[attr-defined]
        page.troubles.watch(page, live_server.url)  # type: ignore[attr-defined]
        page.goto(f"{live_server.url}/staff/login/")
        page.get_by_label("E-mail address").fill("boss@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="What needs someone now")).to_be_visible()
        return page

    yield start
    for context in contexts:
        context.close()


def sidebar(page: Page, name: str) -> Locator:
    """The sidebar's link to a list."""
    return page.locator(f"#nav-sidebar a[href='{reverse(name)}']")


def addresses(world: World) -> list[str]:
    own = [
        ("staff:client", world.client),
        ("staff:client-payment", world.client),
        ("staff:client-preview", world.client),
        ("staff:service", world.service),
        ("staff:service-becomes", world.service),
        ("staff:service-cancel", world.service),
        ("staff:order", world.order),
        ("staff:order-set-up", world.order),
        ("staff:invoice", world.invoice),
        ("staff:job", world.job),
        ("staff:server", world.server),
        ("staff:mail", world.mail),
        ("staff:exchange", world.exchange),
        ("admin:clients_client_change", world.client),
        ("admin:products_product_change", world.product),
        ("admin:provisioning_server_change", world.server),
        ("admin:accounts_user_change", world.user),
        ("admin:backups_datastore_change", world.datastore),
        ("admin:pbx_tariff_change", world.tariff),
    ]
    lists = ("clients_client", "services_service", "invoices_invoice", "pbx_call", "audit_entry")
    return [
        "/staff/",
        "/staff/jobs/",
        "/staff/reports/",
        "/staff/reports/months/",
        "/staff/leaving/",
        "/staff/post_office/emailtemplate/1/change/",
        *(reverse(f"admin:{name}_changelist") for name in lists),
        *(reverse(name, args=[row.pk]) for name, row in own),
        reverse("staff:service-command", args=[world.service.pk, "terminate"]),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_the_screen_and_asks_no_other_host(size, world, log_in, live_server):
    page = log_in(size)
    width = SIZES[size][0]
    template = User._meta.apps.get_model("post_office", "EmailTemplate").objects.first()
    too_wide = []

    for path in addresses(world):
        path = path.replace("emailtemplate/1/", f"emailtemplate/{template.pk}/")
        page.goto(live_server.url + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            too_wide.append(path)

    assert too_wide == []
    assert page.troubles == []


def test_a_service_is_suspended_with_a_reason_and_the_page_says_what_happens(world, log_in):
    page = log_in()
    sidebar(page, "admin:services_service_changelist").click()
    page.get_by_role("link", name=str(world.service), exact=True).click()

    page.get_by_role("link", name="Suspend").click()
    expect(page.get_by_text("Its data stays and it is still billed.")).to_be_visible()
    page.get_by_label("Reason").fill("Invoice overdue")
    page.get_by_role("button", name="Suspend").click()

    expect(page.get_by_text("Suspension requested.")).to_be_visible()
    expect(page.get_by_text("This part updates itself.")).to_be_visible()
    job = Job.objects.get(kind=Job.Kind.SUSPEND)
    assert job.spec["reason"] == "Invoice overdue"
    assert page.troubles == []


def test_the_service_page_follows_its_job_without_being_reloaded(world, log_in, live_server):
    Job.objects.update(status=Job.Status.RUNNING)
    page = log_in()
    page.goto(live_server.url + reverse("staff:service", args=[world.service.pk]))
    expect(page.locator("#jobs")).to_contain_text("Running")

    Job.objects.update(status=Job.Status.DONE)

    expect(page.locator("#jobs")).to_contain_text("Done", timeout=10_000)
    expect(page.get_by_text("This part updates itself.")).to_have_count(0, timeout=10_000)


def test_the_queue_shows_a_new_failure_by_itself_but_not_while_somebody_chooses(
    world, log_in, live_server
):
    page = log_in()
    page.goto(f"{live_server.url}/staff/jobs/")
    box = page.get_by_label(f"Choose Resize #{world.job.pk}")
    box.check()
    second = make_world().job
    page.wait_for_timeout(6_000)
    assert box.is_checked()
    box.uncheck()

    expect(page.get_by_label(f"Choose Resize #{second.pk}")).to_be_visible(timeout=10_000)


def test_the_menu_of_a_client_opens_and_closes_by_keyboard(world, log_in, live_server):
    page = log_in()
    page.goto(live_server.url + reverse("staff:client", args=[world.client.pk]))
    menu = page.locator("details.s-menu summary")
    entry = page.get_by_role("link", name="Preview next invoice")

    menu.focus()
    page.keyboard.press("Enter")
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")

    expect(entry).to_be_hidden()
    expect(menu).to_be_focused()


def test_credentials_are_copied_with_one_click(world, log_in, live_server):
    page = log_in(permissions=["clipboard-read", "clipboard-write"])
    page.goto(live_server.url + reverse("staff:service", args=[world.service.pk]))
    page.get_by_role("button", name="Reveal credentials").click()

    page.get_by_role("row", name="password").get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    secret = world.placement.credentials["password"]
    assert page.evaluate("navigator.clipboard.readText()") == secret


def test_the_dashboard_is_dark_where_the_system_is(world, log_in):
    light, dark = log_in(color_scheme="light"), log_in(color_scheme="dark")

    grounds = [
        page.evaluate("getComputedStyle(document.getElementById('main')).backgroundColor")
        for page in (light, dark)
    ]

    assert grounds == ["rgb(255, 255, 255)", "rgb(16, 24, 40)"]


def test_on_a_phone_the_sidebar_opens_and_leads_on(world, log_in):
    page = log_in("phone")
    clients = sidebar(page, "admin:clients_client_changelist")
    expect(clients).to_be_hidden()

    page.locator("header, #main").get_by_text("dock_to_right").last.click()
    clients.click()

    expect(page.get_by_role("link", name=str(world.client))).to_be_visible()
