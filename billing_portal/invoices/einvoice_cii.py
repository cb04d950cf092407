"""The e-invoice as UN/CEFACT CII, profile EN 16931: what Factur-X and ZUGFeRD embed.

The order of elements is the schema's.
"""

from datetime import date
from xml.etree.ElementTree import Element

from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices.einvoice import EInvoice, Line, Party, TaxRow
from billing_portal.invoices.einvoice_codes import payment_means
from billing_portal.invoices.einvoice_xml import compact_day, document, money, number, put
from billing_portal.invoices.parties import Address

GUIDELINE = "urn:cen.eu:en16931:2017"
_UN = "urn:un:unece:uncefact:data"
_NAMESPACES = {
    "xmlns:rsm": f"{_UN}:standard:CrossIndustryInvoice:100",
    "xmlns:ram": f"{_UN}:standard:ReusableAggregateBusinessInformationEntity:100",
    "xmlns:udt": f"{_UN}:standard:UnqualifiedDataType:100",
    "xmlns:qdt": f"{_UN}:standard:QualifiedDataType:100",
}


def cii_xml(invoice: EInvoice) -> bytes:
    """The file a Factur-X PDF carries."""
    root = Element("rsm:CrossIndustryInvoice", _NAMESPACES)
    context = put(root, "rsm:ExchangedDocumentContext")
    put(context, "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", GUIDELINE)
    head = put(root, "rsm:ExchangedDocument")
    put(head, "ram:ID", invoice.number)
    put(head, "ram:TypeCode", invoice.type_code)
    _day(head, "ram:IssueDateTime", invoice.issue_date)
    for note in invoice.notes:
        put(head, "ram:IncludedNote/ram:Content", note)
    trade = put(root, "rsm:SupplyChainTradeTransaction")
    for line in invoice.lines:
        _line(trade, line, invoice.currency)
    agreement = put(trade, "ram:ApplicableHeaderTradeAgreement")
    put(agreement, "ram:BuyerReference", invoice.buyer_reference)
    _party(put(agreement, "ram:SellerTradeParty"), invoice.seller, is_seller=True)
    _party(put(agreement, "ram:BuyerTradeParty"), invoice.buyer, is_seller=False)
    _delivery(trade, invoice)
    _settlement(put(trade, "ram:ApplicableHeaderTradeSettlement"), invoice)
    return document(root)


def _line(trade: Element, line: Line, currency: str) -> None:
    item = put(trade, "ram:IncludedSupplyChainTradeLineItem")
    put(item, "ram:AssociatedDocumentLineDocument/ram:LineID", str(line.number))
    put(item, "ram:SpecifiedTradeProduct/ram:Name", line.name)
    price = put(item, "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice")
    put(price, "ram:ChargeAmount", number(line.price))
    put(price, "ram:BasisQuantity", str(line.price_per), unitCode=line.unit)
    delivery = put(item, "ram:SpecifiedLineTradeDelivery")
    put(delivery, "ram:BilledQuantity", number(line.quantity), unitCode=line.unit)
    settlement = put(item, "ram:SpecifiedLineTradeSettlement")
    tax = put(settlement, "ram:ApplicableTradeTax")
    put(tax, "ram:TypeCode", "VAT")
    put(tax, "ram:CategoryCode", line.category)
    if line.category != TaxCategory.OUTSIDE_SCOPE:
        put(tax, "ram:RateApplicablePercent", number(line.percent))
    _period(settlement, line.first_day, line.last_day)
    total = put(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    put(total, "ram:LineTotalAmount", money(line.amount, currency))


def _party(into: Element, party: Party, *, is_seller: bool) -> None:
    put(into, "ram:ID", party.identifier if is_seller else party.tax_number)
    put(into, "ram:Name", party.name)
    put(into, "ram:SpecifiedLegalOrganization/ram:ID", party.registration)
    _contact(into, party)
    _address(into, party.address)
    put(into, "ram:URIUniversalCommunication/ram:URIID", party.email, schemeID="EM")
    put(into, "ram:SpecifiedTaxRegistration/ram:ID", party.vat_id, schemeID="VA")
    if is_seller:
        put(into, "ram:SpecifiedTaxRegistration/ram:ID", party.tax_number, schemeID="FC")


def _contact(into: Element, party: Party) -> None:
    if not (party.person or party.phone):
        return
    contact = put(into, "ram:DefinedTradeContact")
    put(contact, "ram:PersonName", party.person)
    put(contact, "ram:TelephoneUniversalCommunication/ram:CompleteNumber", party.phone)
    put(contact, "ram:EmailURIUniversalCommunication/ram:URIID", party.email)


def _address(into: Element, address: Address) -> None:
    postal = put(into, "ram:PostalTradeAddress")
    put(postal, "ram:PostcodeCode", address.postcode)
    first, second, third = (*address.street, "", "", "")[:3]
    put(postal, "ram:LineOne", first)
    put(postal, "ram:LineTwo", second)
    put(postal, "ram:LineThree", third)
    put(postal, "ram:CityName", address.city)
    put(postal, "ram:CountryID", address.country)
    put(postal, "ram:CountrySubDivisionName", address.state)


def _delivery(trade: Element, invoice: EInvoice) -> None:
    """Where to: the element must be there and must not be empty."""
    party = put(trade, "ram:ApplicableHeaderTradeDelivery/ram:ShipToTradeParty")
    put(party, "ram:PostalTradeAddress/ram:CountryID", invoice.buyer.address.country)


def _settlement(into: Element, invoice: EInvoice) -> None:
    put(into, "ram:PaymentReference", invoice.number)
    if invoice.home_tax:
        put(into, "ram:TaxCurrencyCode", invoice.home_tax[0])
    put(into, "ram:InvoiceCurrencyCode", invoice.currency)
    _payment_means(into, invoice)
    for tax in invoice.taxes:
        _tax(into, tax, invoice.currency)
    if invoice.period:
        _period(into, *invoice.period)
    terms = put(into, "ram:SpecifiedTradePaymentTerms")
    put(terms, "ram:Description", invoice.terms)
    if invoice.due_date:
        _day(terms, "ram:DueDateDateTime", invoice.due_date)
    _totals(put(into, "ram:SpecifiedTradeSettlementHeaderMonetarySummation"), invoice)
    if invoice.corrects:
        corrected, on = invoice.corrects
        reference = put(into, "ram:InvoiceReferencedDocument")
        put(reference, "ram:IssuerAssignedID", corrected)
        path = "ram:FormattedIssueDateTime/qdt:DateTimeString"
        put(reference, path, compact_day(on), format="102")


def _payment_means(into: Element, invoice: EInvoice) -> None:
    means = put(into, "ram:SpecifiedTradeSettlementPaymentMeans")
    put(means, "ram:TypeCode", payment_means(invoice))
    if invoice.account.iban:
        account = put(means, "ram:PayeePartyCreditorFinancialAccount")
        put(account, "ram:IBANID", invoice.account.iban)
        put(account, "ram:AccountName", invoice.seller.name)
        path = "ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"
        put(means, path, invoice.account.bic)


def _tax(into: Element, tax: TaxRow, currency: str) -> None:
    row = put(into, "ram:ApplicableTradeTax")
    put(row, "ram:CalculatedAmount", money(tax.amount, currency))
    put(row, "ram:TypeCode", "VAT")
    put(row, "ram:ExemptionReason", tax.reason)
    put(row, "ram:BasisAmount", money(tax.base, currency))
    put(row, "ram:CategoryCode", tax.category)
    put(row, "ram:ExemptionReasonCode", tax.reason_code)
    if tax.category != TaxCategory.OUTSIDE_SCOPE:
        put(row, "ram:RateApplicablePercent", number(tax.percent))


def _totals(into: Element, invoice: EInvoice) -> None:
    currency = invoice.currency
    put(into, "ram:LineTotalAmount", money(invoice.net_total, currency))
    put(into, "ram:TaxBasisTotalAmount", money(invoice.net_total, currency))
    put(into, "ram:TaxTotalAmount", money(invoice.tax_total, currency), currencyID=currency)
    if invoice.home_tax:
        home, tax = invoice.home_tax
        put(into, "ram:TaxTotalAmount", money(tax, home), currencyID=home)
    put(into, "ram:GrandTotalAmount", money(invoice.total, currency))
    put(into, "ram:TotalPrepaidAmount", money(invoice.prepaid, currency))
    put(into, "ram:DuePayableAmount", money(invoice.payable, currency))


def _period(into: Element, first: date | None, last: date | None) -> None:
    if first and last:
        period = put(into, "ram:BillingSpecifiedPeriod")
        _day(period, "ram:StartDateTime", first)
        _day(period, "ram:EndDateTime", last)


def _day(into: Element, tag: str, day: date) -> None:
    put(into, f"{tag}/udt:DateTimeString", compact_day(day), format="102")
