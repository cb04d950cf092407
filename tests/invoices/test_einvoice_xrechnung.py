"""What German authorities ask for beyond EN 16931.

The schematron of XRechnung itself comes in no package, so its rules that a document of ours
could break are written down here.  Source: the rules of XRechnung 3.0 and Peppol BIS 3.0.
"""

from decimal import Decimal

import pytest
from lxml import etree

from billing_portal.invoices.einvoice_ubl import xrechnung_xml
from tests.invoices.test_einvoice_rules import DOCUMENTS, one_rate

pytestmark = pytest.mark.django_db
NAMES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
SELLER = "cac:AccountingSupplierParty/cac:Party"
BUYER = "cac:AccountingCustomerParty/cac:Party"
LINES = "(cac:InvoiceLine | cac:CreditNoteLine)"
MUST_HOLD = {
    "BR-DE-1": "cac:PaymentMeans",
    "BR-DE-2": f"{SELLER}/cac:Contact",
    "BR-DE-3": f"normalize-space({SELLER}/cac:PostalAddress/cbc:CityName)",
    "BR-DE-4": f"normalize-space({SELLER}/cac:PostalAddress/cbc:PostalZone)",
    "BR-DE-5": f"normalize-space({SELLER}/cac:Contact/cbc:Name)",
    "BR-DE-6": f"normalize-space({SELLER}/cac:Contact/cbc:Telephone)",
    "BR-DE-7": f"normalize-space({SELLER}/cac:Contact/cbc:ElectronicMail)",
    "BR-DE-8": f"normalize-space({BUYER}/cac:PostalAddress/cbc:CityName)",
    "BR-DE-9": f"normalize-space({BUYER}/cac:PostalAddress/cbc:PostalZone)",
    "BR-DE-14": "not(cac:TaxTotal/cac:TaxSubtotal[not(cac:TaxCategory/cbc:Percent)])",
    "BR-DE-15": "normalize-space(cbc:BuyerReference)",
    "BR-DE-16": f"{SELLER}/cac:PartyTaxScheme/cbc:CompanyID",
    "BR-DE-21": "contains(cbc:CustomizationID, 'xrechnung_3.0')",
    "BR-DE-23-a": "cac:PaymentMeans[cbc:PaymentMeansCode='1' or cac:PayeeFinancialAccount]",
    "BR-DE-TMP-32": f"cac:InvoicePeriod or not({LINES}[not(cac:InvoicePeriod)])",
    "R001": "normalize-space(cbc:ProfileID)",
    "R008": "not(//*[not(*) and not(normalize-space())])",
    "R010": f"{BUYER}/cbc:EndpointID[@schemeID='EM']",
    "R020": f"{SELLER}/cbc:EndpointID[@schemeID='EM']",
}


@pytest.fixture(autouse=True)
def _reachable_seller(settings):
    settings.SELLER_PHONE = "+49 40 123456"


def broken(xml: bytes) -> list[str]:
    root = etree.fromstring(xml)
    found = [
        rule
        for rule, path in MUST_HOLD.items()
        if not root.xpath(f"boolean({path})", namespaces=NAMES)
    ]
    for line in root.xpath(LINES, namespaces=NAMES):
        if abs(_of(line, "*[contains(name(), 'Quantity')]", "cac:Price/cbc:PriceAmount")) > 2:
            found.append("R120")
        if not _period_fits(root, line):
            found.append("R110")
    return found


def _of(line, quantity, price) -> Decimal:
    """How many cents quantity times price is away from the amount of the line."""
    units, each, per, amount = (
        Decimal(line.xpath(path, namespaces=NAMES)[0].text)
        for path in (quantity, price, "cac:Price/cbc:BaseQuantity", "cbc:LineExtensionAmount")
    )
    return 100 * (units * each / per - amount)


def _period_fits(root, line) -> bool:
    first, last = (
        [one.findtext(f"cac:InvoicePeriod/cbc:{end}", "", NAMES) for one in (root, line)]
        for end in ("StartDate", "EndDate")
    )
    return first[0] <= first[1] and last[1] <= last[0]


@pytest.mark.parametrize("make", DOCUMENTS, ids=lambda make: make.__name__)
def test_an_authority_takes_the_document(make):
    assert broken(xrechnung_xml(make())) == []


@pytest.mark.parametrize(
    ("written", "changed", "rule"),
    [
        (b"<cbc:BuyerReference>04011000-12345-34<", b"<cbc:BuyerReference> <", "BR-DE-15"),
        (b"+49 40 123456", b"", "BR-DE-6"),
        (b'<cbc:InvoicedQuantity unitCode="C62">1<', b"<cbc:InvoicedQuantity>2<", "R120"),
        (b"<cbc:StartDate>2026-12-01<", b"<cbc:StartDate>2026-11-01<", "R110"),
    ],
)
def test_a_document_that_lacks_something_is_found_out(written, changed, rule):
    xml = xrechnung_xml(one_rate())
    assert written in xml
    # From the end, where the lines are.
    head, _, tail = xml.rpartition(written)

    assert rule in broken(head + changed + tail)
