"""The catalogue beyond its forms: prices as a matrix, copies, retiring, repricing, doubts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.clients.models import Client, ClientStatus
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.products import actions, queries
from billing_portal.products.forms import PriceMatrix
from billing_portal.products.models import (
    Choice,
    Cycle,
    ExchangeRate,
    Option,
    OptionGroup,
    Price,
    Product,
)
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import reprice as repricing

CHANGE = "products.change_product"


@dataclass(frozen=True, slots=True)
class Priced:
    """One thing with prices, and their matrix."""

    title: str
    note: str
    of: Product | Choice
    matrix: PriceMatrix


def currencies() -> list[str]:
    """The currencies clients have and may get, the portal's own first."""
    used = Client.objects.exclude(status=ClientStatus.CLOSED).order_by()
    found = set(used.values_list("currency", flat=True).distinct())
    found |= set(ExchangeRate.objects.values_list("currency", flat=True))
    own = str(settings.DEFAULT_CURRENCY)
    return [own, *sorted(found - {own})]


@staff_page("products.view_product")
def check(request: HttpRequest) -> HttpResponse:
    """Every product for sale with what is doubtful about it."""
    asked = currencies()
    products = Product.objects.filter(retired=False).select_related("group")
    rows = [
        (product, found)
        for product in products.prefetch_related("prices")
        if (found := queries.doubts(product, asked))
    ]
    context = {"rows": rows, "currencies": asked, "count": products.count()}
    return show(request, "staff/catalogue.html", title="Catalogue check", context=context)


@staff_page(CHANGE)
def prices(request: HttpRequest, pk: int) -> HttpResponse:
    """All prices of a product and of its options, on one page."""
    product = get_object_or_404(Product, pk=pk)
    chosen = _shown_currencies(request, product.prices.values_list("currency", flat=True))
    groups = OptionGroup.objects.filter(products=product)
    priced = [
        Priced(
            product.name,
            "Per cycle; empty: not offered, 0: free.",
            product,
            _matrix(request, product, "product", chosen, Cycle.values),
        ),
        *_choices(request, groups, chosen, _cycles_of([product])),
    ]
    return _prices_page(
        request,
        priced,
        chosen,
        title=f"Prices of {product}",
        crumbs=_crumbs(product),
        back=reverse("admin:products_product_change", args=[pk]),
        doubts=queries.doubts(product, currencies()),
        product=product,
    )


@staff_page("products.change_optiongroup")
def option_prices(request: HttpRequest, pk: int) -> HttpResponse:
    """The prices of every choice of an option group."""
    group = get_object_or_404(OptionGroup, pk=pk)
    used = Choice.objects.filter(option__group=group).values_list("prices__currency", flat=True)
    chosen = _shown_currencies(request, used)
    back = reverse("admin:products_optiongroup_change", args=[pk])
    return _prices_page(
        request,
        _choices(request, [group], chosen, _cycles_of(group.products.all())),
        chosen,
        title=f"Prices of {group}",
        crumbs=(
            Crumb("Option groups", reverse("admin:products_optiongroup_changelist")),
            Crumb(str(group), back),
        ),
        back=back,
    )


@staff_page("products.add_product")
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a hidden copy, after saying what is copied."""
    product = get_object_or_404(Product, pk=pk)
    if request.method == "POST":
        copy = actions.duplicate(product, at=now(), actor=member(request))
        messages.success(request, f"{copy} is hidden until you show it. Change what differs.")
        return redirect("admin:products_product_change", copy.pk)
    return show(
        request,
        "staff/product_deed.html",
        title="Duplicate",
        crumbs=_crumbs(product),
        context={
            "product": product,
            "question": f"Duplicate {product}?",
            "consequence": "The copy has the same settings, prices, options and questions. It is "
            "hidden from the shop, and no service moves to it.",
            "button": "Duplicate",
            "is_dangerous": False,
        },
    )


@staff_page(CHANGE)
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a product off sale, after saying what becomes of its services."""
    product = get_object_or_404(Product, pk=pk)
    if request.method == "POST":
        actions.retire(product, at=now(), actor=member(request))
        messages.success(request, f"{product} is no longer for sale.")
        return redirect("admin:products_product_change", pk)
    running = product.services.filter(status__in=repricing.RUNNING).count()
    live_on = f"Its {running} running services live on and are billed as before."
    return show(
        request,
        "staff/product_deed.html",
        title="Retire",
        crumbs=_crumbs(product),
        context={
            "product": product,
            "question": f"Retire {product}?",
            "consequence": "Nobody can order it any more, not even by a direct link. "
            + (live_on if running else "No service of it is running."),
            "button": "Retire",
            "is_dangerous": True,
        },
    )


@staff_page(CHANGE, "services.change_service")
def reprice(request: HttpRequest, pk: int) -> HttpResponse:
    """Who would pay what from the next invoice on; confirmed, exactly that is done."""
    product = get_object_or_404(Product, pk=pk)
    if request.method == "POST":
        try:
            done = repricing.apply(
                product,
                expected=request.POST.get("fingerprint", ""),
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            messages.error(request, str(error))
            return redirect("staff:product-reprice", pk)
        number = len(done.changes)
        messages.success(
            request,
            f"{number} service{'' if number == 1 else 's'} will cost the new price from the "
            "next invoice on.",
        )
        return redirect("admin:products_product_change", pk)
    context = {"product": product, "plan": repricing.plan(product)}
    return show(
        request,
        "staff/reprice.html",
        title="Reprice services",
        crumbs=_crumbs(product),
        context=context,
    )


def _prices_page(
    request: HttpRequest,
    priced: list[Priced],
    chosen: list[str],
    *,
    title: str,
    crumbs: tuple[Crumb, ...],
    back: str,
    **context: Any,
) -> HttpResponse:
    # A list: every matrix must be checked, so that each says what is wrong with it.
    if request.method == "POST" and all([one.matrix.is_valid() for one in priced]):
        said = [
            sentence
            for one in priced
            for sentence in actions.set_prices(
                one.of, one.matrix.rates(), at=now(), actor=member(request)
            )
        ]
        if said:
            messages.success(
                request, "Saved. Existing services keep the price they were ordered at."
            )
        else:
            messages.info(request, "Nothing was changed.")
        return redirect(request.get_full_path())
    return show(
        request,
        "staff/prices.html",
        title=title,
        crumbs=crumbs,
        context={"priced": priced, "currencies": chosen, "back": back, **context},
    )


def _choices(
    request: HttpRequest, groups: Iterable[OptionGroup], chosen: list[str], cycles: set[str]
) -> list[Priced]:
    """The choices' prices in the cycles their products have, and in those they have already."""
    choices = (
        Choice.objects.filter(option__group__in=list(groups), option__hidden=False, hidden=False)
        .select_related("option__group")
        .prefetch_related("prices")
        .order_by("option__group__name", "option__position", "option", "position", "pk")
    )
    return [
        Priced(
            queries.named_choice(choice.option, choice),
            _note(choice.option),
            choice,
            _matrix(request, choice, f"choice{choice.pk}", chosen, cycles),
        )
        for choice in choices
    ]


def _note(option: Option) -> str:
    per_unit = option.kind == Option.Kind.QUANTITY
    added = "Added for each unit" if per_unit else "Added"
    return f"{added} to every product with the options “{option.group}”; empty: nothing."


def _matrix(
    request: HttpRequest,
    of: Product | Choice,
    prefix: str,
    chosen: list[str],
    cycles: Collection[str],
) -> PriceMatrix:
    priced = of.prices.all()
    wanted = {*cycles, *(price.cycle for price in priced)}
    return PriceMatrix(
        request.POST if request.method == "POST" else None,
        prefix=prefix,
        prices=priced,
        currencies=chosen,
        cycles=[cycle for cycle in Cycle.values if cycle in wanted],
    )


def _cycles_of(products: Iterable[Product]) -> set[str]:
    """The cycles in which any of the products has a price; before there is one, monthly."""
    prices = Price.objects.filter(product__in=list(products))
    return set(prices.values_list("cycle", flat=True)) or {Cycle.MONTHLY}


def _shown_currencies(request: HttpRequest, priced: Iterable[str | None]) -> list[str]:
    """Those in use, those with a price, and one more that was asked for."""
    extra = request.GET.get("currency", "").strip().upper()
    try:
        minor_units(extra or str(settings.DEFAULT_CURRENCY))
    except UnknownCurrency as error:
        messages.error(request, str(error))
        extra = ""
    found = currencies()
    more = {one for one in priced if one} | ({extra} if extra else set())
    return [*found, *sorted(more - set(found))]


def _crumbs(product: Product) -> tuple[Crumb, ...]:
    return (
        Crumb("Products", reverse("admin:products_product_changelist")),
        Crumb(str(product), reverse("admin:products_product_change", args=[product.pk])),
    )
