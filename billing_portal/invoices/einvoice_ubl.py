"""The e-invoice as UBL 2.1, customised as XRechnung 3.0: what German authorities take.

An invoice and a credit note are documents of two kinds with nearly the same content.  The
order of elements is the schemas'.
"""

from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element

from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices.einvoice import EInvoice, Line, Party, TaxRow
from billing_portal.invoices.einvoice_codes import payment_means
from billing_portal.invoices.einvoice_xml import document, money, number, put
from billing_portal.invoices.parties import Address

CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_UBL = "urn:oasis:names:specification:ubl:schema:xsd"


def xrechnung_xml(invoice: EInvoice) -> bytes:
    """The file to send; whether authorities take it, `einvoice_codes.missing` says."""
    kind = "CreditNote" if invoice.is_credit else "Invoice"
    namespaces = {
        "xmlns": f"{_UBL}:{kind}-2",
        "xmlns:cac": f"{_UBL}:CommonAggregateComponents-2",
        "xmlns:cbc": f"{_UBL}:CommonBasicComponents-2",
    }
    root = Element(kind, namespaces)
    _head(root, invoice, kind)
    _party(put(root, "cac:AccountingSupplierParty/cac:Party"), invoice.seller, is_seller=True)
    _party(put(root, "cac:AccountingCustomerParty/cac:Party"), invoice.buyer, is_seller=False)
    _delivery(root, invoice)
    _payment(root, invoice)
    _taxes(root, invoice)
    _totals(put(root, "cac:LegalMonetaryTotal"), invoice)
    for line in invoice.lines:
        _line(put(root, f"cac:{kind}Line"), line, invoice)
    return document(root)


def _head(root: Element, invoice: EInvoice, kind: str) -> None:
    put(root, "cbc:CustomizationID", CUSTOMIZATION)
    put(root, "cbc:ProfileID", PROFILE)
    put(root, "cbc:ID", invoice.number)
    put(root, "cbc:IssueDate", invoice.issue_date.isoformat())
    if invoice.due_date and not invoice.is_credit:
        put(root, "cbc:DueDate", invoice.due_date.isoformat())
    put(root, f"cbc:{kind}TypeCode", invoice.type_code)
    for note in invoice.notes:
        put(root, "cbc:Note", note)
    put(root, "cbc:DocumentCurrencyCode", invoice.currency)
    if invoice.home_tax:
        put(root, "cbc:TaxCurrencyCode", invoice.home_tax[0])
    put(root, "cbc:BuyerReference", invoice.buyer_reference)
    if invoice.period:
        _period(root, *invoice.period)
    if invoice.corrects:
        corrected, on = invoice.corrects
        reference = put(root, "cac:BillingReference/cac:InvoiceDocumentReference")
        put(reference, "cbc:ID", corrected)
        put(reference, "cbc:IssueDate", on.isoformat())


def _party(into: Element, party: Party, *, is_seller: bool) -> None:
    put(into, "cbc:EndpointID", party.email, schemeID="EM")
    identifier = party.identifier if is_seller else party.tax_number
    put(into, "cac:PartyIdentification/cbc:ID", identifier)
    _address(into, party.address)
    _tax_scheme(into, party.vat_id, "VAT")
    if is_seller:
        _tax_scheme(into, party.tax_number, "FC")
    legal = put(into, "cac:PartyLegalEntity")
    put(legal, "cbc:RegistrationName", party.name)
    put(legal, "cbc:CompanyID", party.registration)
    if is_seller or party.person:
        contact = put(into, "cac:Contact")
        put(contact, "cbc:Name", party.person or party.name)
        put(contact, "cbc:Telephone", party.phone)
        put(contact, "cbc:ElectronicMail", party.email)


def _tax_scheme(into: Element, tax_id: str, scheme: str) -> None:
    if tax_id:
        tax = put(into, "cac:PartyTaxScheme")
        put(tax, "cbc:CompanyID", tax_id)
        put(tax, "cac:TaxScheme/cbc:ID", scheme)


def _address(into: Element, address: Address) -> None:
    postal = put(into, "cac:PostalAddress")
    first, second, third = (*address.street, "", "", "")[:3]
    put(postal, "cbc:StreetName", first)
    put(postal, "cbc:AdditionalStreetName", second)
    put(postal, "cbc:CityName", address.city)
    put(postal, "cbc:PostalZone", address.postcode)
    put(postal, "cbc:CountrySubentity", address.state)
    put(postal, "cac:AddressLine/cbc:Line", third)
    put(postal, "cac:Country/cbc:IdentificationCode", address.country)


def _delivery(root: Element, invoice: EInvoice) -> None:
    """Where to, only where the law asks: an intra-community supply of goods."""
    if any(tax.category == TaxCategory.INTRA_COMMUNITY for tax in invoice.taxes):
        address = put(root, "cac:Delivery/cac:DeliveryLocation/cac:Address")
        # XRechnung wants the whole address once there is one.
        put(address, "cbc:CityName", invoice.buyer.address.city)
        put(address, "cbc:PostalZone", invoice.buyer.address.postcode)
        put(address, "cac:Country/cbc:IdentificationCode", invoice.buyer.address.country)


def _payment(root: Element, invoice: EInvoice) -> None:
    means = put(root, "cac:PaymentMeans")
    put(means, "cbc:PaymentMeansCode", payment_means(invoice))
    put(means, "cbc:PaymentID", invoice.number)
    if invoice.account.iban:
        account = put(means, "cac:PayeeFinancialAccount")
        put(account, "cbc:ID", invoice.account.iban)
        put(account, "cbc:Name", invoice.seller.name)
        put(account, "cac:FinancialInstitutionBranch/cbc:ID", invoice.account.bic)
    put(root, "cac:PaymentTerms/cbc:Note", invoice.terms)


def _taxes(root: Element, invoice: EInvoice) -> None:
    total = put(root, "cac:TaxTotal")
    _amount(total, "cbc:TaxAmount", invoice.tax_total, invoice)
    for tax in invoice.taxes:
        _tax(put(total, "cac:TaxSubtotal"), tax, invoice)
    if invoice.home_tax:
        home, amount = invoice.home_tax
        put(root, "cac:TaxTotal/cbc:TaxAmount", money(amount, home), currencyID=home)


def _tax(into: Element, tax: TaxRow, invoice: EInvoice) -> None:
    _amount(into, "cbc:TaxableAmount", tax.base, invoice)
    _amount(into, "cbc:TaxAmount", tax.amount, invoice)
    category = put(into, "cac:TaxCategory")
    put(category, "cbc:ID", tax.category)
    put(category, "cbc:Percent", number(tax.percent))
    put(category, "cbc:TaxExemptionReasonCode", tax.reason_code)
    put(category, "cbc:TaxExemptionReason", tax.reason)
    put(category, "cac:TaxScheme/cbc:ID", "VAT")


def _totals(into: Element, invoice: EInvoice) -> None:
    _amount(into, "cbc:LineExtensionAmount", invoice.net_total, invoice)
    _amount(into, "cbc:TaxExclusiveAmount", invoice.net_total, invoice)
    _amount(into, "cbc:TaxInclusiveAmount", invoice.total, invoice)
    _amount(into, "cbc:PrepaidAmount", invoice.prepaid, invoice)
    _amount(into, "cbc:PayableAmount", invoice.payable, invoice)


def _line(into: Element, line: Line, invoice: EInvoice) -> None:
    put(into, "cbc:ID", str(line.number))
    counted = "cbc:CreditedQuantity" if invoice.is_credit else "cbc:InvoicedQuantity"
    put(into, counted, number(line.quantity), unitCode=line.unit)
    _amount(into, "cbc:LineExtensionAmount", line.amount, invoice)
    if line.first_day and line.last_day:
        _period(into, line.first_day, line.last_day)
    item = put(into, "cac:Item")
    put(item, "cbc:Name", line.name)
    category = put(item, "cac:ClassifiedTaxCategory")
    put(category, "cbc:ID", line.category)
    if line.category != TaxCategory.OUTSIDE_SCOPE:
        put(category, "cbc:Percent", number(line.percent))
    put(category, "cac:TaxScheme/cbc:ID", "VAT")
    price = put(into, "cac:Price")
    put(price, "cbc:PriceAmount", number(line.price), currencyID=invoice.currency)
    put(price, "cbc:BaseQuantity", str(line.price_per), unitCode=line.unit)


def _amount(into: Element, tag: str, amount: Decimal, invoice: EInvoice) -> None:
    put(into, tag, money(amount, invoice.currency), currencyID=invoice.currency)


def _period(into: Element, first: date, last: date) -> None:
    period = put(into, "cac:InvoicePeriod")
    put(period, "cbc:StartDate", first.isoformat())
    put(period, "cbc:EndDate", last.isoformat())
