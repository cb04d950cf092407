"""The demo's past: its customers arrive, order, pay (or not), and the days go by."""

from datetime import datetime, timedelta

from billing_portal.clients.models import Client
from billing_portal.clock.setting import set_clock
from billing_portal.invoices.models import Invoice
from billing_portal.workflows import demo_cast, demo_catalogue, demo_extras, simulate
from billing_portal.workflows.demo_cast import DEMO as DEMO
from billing_portal.workflows.demo_cast import Customer
from billing_portal.workflows.simulate import Simulation

OPENING_HOUR = timedelta(hours=9)
DAY = timedelta(days=1)


def play(start: datetime, end: datetime) -> None:
    """Live the demo from `start` (a midnight) to `end`, both on the portal's clock."""
    set_clock(start)
    staff = demo_cast.hire_staff()
    demo_catalogue.stock_the_shop()
    demo_catalogue.charge_vat(at=start)
    demo_extras.dress_the_shop()
    simulation = Simulation(tell=_unheard)
    simulation.life.begin_anew()
    clients: dict[str, Client] = {}
    at = start
    for customer in sorted(DEMO.customers, key=lambda c: c.orders_on_day):
        arrives = start + customer.orders_on_day * DAY + OPENING_HOUR
        if arrives >= end:
            continue
        simulation.play(at, arrives)
        client = _arrive(customer, simulation, at=arrives)
        at = arrives
        clients[customer.email] = client
    good, late = (clients.get(c.email) for c in (demo_cast.ANNA, demo_cast.BEN))
    if good and late:
        demo_extras.work_at_the_desk(staff=staff, late=late, good=good, at=at)
    simulation.play(at, end)


def _arrive(customer: Customer, simulation: Simulation, *, at: datetime) -> Client:
    """Sign up, order, pay if that is the customer's way."""
    client: Client = demo_cast.enter(customer, at=at)
    demo_cast.confirm_vat_id(client, at=at)
    order = demo_cast.order(customer, client, at=at)
    invoice: Invoice | None = order.invoice
    if customer.pays_orders and invoice:
        simulate.pay(invoice, at=at)
    if not customer.pays_invoices or not customer.pays_orders:
        simulation.debtors |= {client.pk}
    return client


def _unheard(at: datetime, event: str) -> None:
    """Nobody listens."""
