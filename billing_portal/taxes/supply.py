"""Whose tax is due on what one client buys, and why.

The decision is a table of cases over plain values; `queries` reads them from the rows.

    tax switched off                               no tax
    client marked exempt                           E
    without EU rules                               the taxes of the client's place
    at home                                        the seller's own tax
    other member state, id valid in the register   AE, the client accounts for it
    other member state, everyone else              the tax of that state; without a rule for
                                                   it, the seller's own
    outside the EU                                 O, unless a rule names the country
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing_portal.calc.tax import NO_TAX, Rounding, TaxCategory, TaxRate, TaxTreatment
from billing_portal.taxes.ids import MEMBER_STATES, vat_country
from billing_portal.taxes.models import TaxSettings
from billing_portal.taxes.places import state_key

REVERSE_CHARGE = (
    "Reverse charge: the customer is liable for the VAT (Article 196, Directive 2006/112/EC)."
)
OUTSIDE_EU = "Not subject to EU VAT: supplied outside the EU (Directive 2006/112/EC)."
EXEMPT = "Exempt from tax."


class IdState(StrEnum):
    """What is known about a client's VAT id."""

    NONE = "none"
    MALFORMED = "malformed"
    UNCHECKED = "unchecked"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"
    VALID = "valid"


@dataclass(frozen=True, slots=True)
class IdStanding:
    """A client's VAT id as it stands; `vat_id` is empty unless it is well formed."""

    state: IdState = IdState.NONE
    vat_id: str = ""
    checked_at: datetime | None = None
    consultation: str = ""


NO_ID = IdStanding()


@dataclass(frozen=True, slots=True)
class Buyer:
    """What of a client decides its tax."""

    country: str
    state: str
    is_company: bool
    is_exempt: bool
    standing: IdStanding = NO_ID


@dataclass(frozen=True, slots=True)
class Decision:
    """How a buyer is taxed, and why, for staff."""

    treatment: TaxTreatment
    why: str


@dataclass(frozen=True, slots=True)
class PlaceTax:
    """A tax rule as plain values; empty `country` or `state` means any."""

    level: int
    name: str
    country: str
    state: str
    percent: Decimal
    compound: bool


@dataclass(slots=True)
class TaxLaw:
    """The seller's settings and the rules of one day.  Remembers what it has decided."""

    settings: TaxSettings
    rules: Sequence[PlaceTax] = ()
    home_country: str = field(init=False)
    _decided: dict[Buyer, Decision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Once: a country field makes an object each time it is read.
        self.home_country = str(self.settings.seller_country)

    def decide(self, buyer: Buyer) -> Decision:
        found = self._decided.get(buyer)
        if found is None:
            found = self._decided[buyer] = self._decide(buyer)
        return found

    def home(self) -> TaxTreatment:
        """How a private person at the seller's own place is taxed: what a visitor is shown."""
        if not self.settings.enabled:
            return NO_TAX
        return self._charged(self._home_rules())

    def asks_register_about(self, country: str) -> bool:
        """Whether a VAT id from there can change what is charged."""
        return (
            self.settings.enabled
            and self.settings.eu_vat
            and vat_country(country) in MEMBER_STATES
            and vat_country(country) != self.home_country
        )

    def _decide(self, buyer: Buyer) -> Decision:
        if not self.settings.enabled:
            return Decision(NO_TAX, "No tax: switched off in the tax settings")
        if buyer.is_exempt:
            return self._untaxed(TaxCategory.EXEMPT, EXEMPT, "Exempt: marked so on the client")
        if not self.settings.eu_vat:
            return self._by_place(buyer)
        if self.asks_register_about(buyer.country):
            return self._in_other_member_state(buyer)
        if vat_country(buyer.country) == self.home_country:
            return self._by_place(buyer)
        if any(rule.country == buyer.country for rule in self.rules):
            return self._by_place(buyer)
        return self._untaxed(
            TaxCategory.OUTSIDE_SCOPE, OUTSIDE_EU, f"No VAT: {buyer.country} is outside the EU"
        )

    def _in_other_member_state(self, buyer: Buyer) -> Decision:
        standing = buyer.standing
        if standing.state == IdState.VALID:
            why = f"Reverse charge: {standing.vat_id} valid"
            if standing.checked_at:
                why += f" on {standing.checked_at:%-d %b %Y}"
            return self._untaxed(TaxCategory.REVERSE_CHARGE, REVERSE_CHARGE, why)
        country = vat_country(buyer.country)
        own = [rule for rule in self.rules if rule.country == country]
        if own:
            return self._taxed(self._pick(self.rules, country, buyer.state), buyer)
        return self._taxed(self._home_rules(), buyer, f", no rule for {country}: the home rate")

    def _by_place(self, buyer: Buyer) -> Decision:
        rules = self._pick(self.rules, vat_country(buyer.country), buyer.state)
        if not rules:
            place = " ".join(filter(None, [buyer.country, buyer.state]))
            return self._untaxed(TaxCategory.OUTSIDE_SCOPE, "", f"No tax: no rule for {place}")
        return self._taxed(rules, buyer)

    def _home_rules(self) -> list[PlaceTax]:
        seller = self.settings
        return self._pick(self.rules, self.home_country, seller.seller_state)

    def _pick(self, rules: Sequence[PlaceTax], country: str, state: str) -> list[PlaceTax]:
        """The most specific rule of each level: of the state, the country, any country."""
        place = state_key(country, state)
        best: dict[int, PlaceTax] = {}
        for rule in rules:
            of = rule.country
            if of and (of != country or (rule.state and state_key(of, rule.state) != place)):
                continue
            known = best.get(rule.level)
            if known is None or _specificity(rule) > _specificity(known):
                best[rule.level] = rule
        return [best[level] for level in sorted(best)]

    def _taxed(self, rules: Sequence[PlaceTax], buyer: Buyer, why: str = "") -> Decision:
        treatment = self._charged(rules)
        rates = " and ".join(f"{r.name} {plain_percent(r.percent)} %" for r in treatment.rates)
        who = "company" if buyer.is_company else "private person"
        place = " ".join(filter(None, [buyer.country, buyer.state]))
        about_id = _about_id(buyer) if self.asks_register_about(buyer.country) else ""
        return Decision(treatment, f"{rates or 'No tax'}: {who} in {place}{about_id}{why}")

    def _charged(self, rules: Sequence[PlaceTax]) -> TaxTreatment:
        if not rules:
            return NO_TAX
        rates = tuple(
            TaxRate(rule.name, rule.percent, rule.compound and rule.level > 1) for rule in rules
        )
        nothing = all(rate.percent == 0 for rate in rates)
        return TaxTreatment(
            rates=rates,
            included=rates if self.settings.prices_include_tax else (),
            category=TaxCategory.ZERO if nothing else TaxCategory.STANDARD,
            rounding=Rounding(self.settings.rounding),
        )

    def _untaxed(self, category: TaxCategory, note: str, why: str) -> Decision:
        net = self.settings.prices_include_tax and self.settings.exempt_pay_net
        treatment = TaxTreatment(
            included=self._charged(self._home_rules()).rates if net else (),
            category=category,
            note=note,
            rounding=Rounding(self.settings.rounding),
        )
        return Decision(treatment, why)


def plain_percent(percent: Decimal) -> str:
    """19 for 19.0000, 9.975 for 9.9750."""
    return f"{percent.normalize():f}"


_ABOUT = {
    IdState.NONE: "",
    IdState.MALFORMED: ", whose tax id is no VAT id of that country",
    IdState.UNCHECKED: ", VAT id {} not checked yet",
    IdState.UNAVAILABLE: ", VAT id {} not confirmed: the register did not answer",
    IdState.INVALID: ", VAT id {} not valid",
    IdState.VALID: "",
}


def _about_id(buyer: Buyer) -> str:
    return _ABOUT[buyer.standing.state].format(buyer.standing.vat_id)


def _specificity(rule: PlaceTax) -> tuple[bool, bool]:
    return bool(rule.country), bool(rule.state)
