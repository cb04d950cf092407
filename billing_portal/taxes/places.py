"""States and provinces: one spelling for the several ways people write them."""

from collections.abc import Mapping

_CANADA = (
    "AB Alberta,BC British Columbia,MB Manitoba,NB New Brunswick,NL Newfoundland and Labrador,"
    "NS Nova Scotia,NT Northwest Territories,NU Nunavut,ON Ontario,PE Prince Edward Island,"
    "QC Quebec,SK Saskatchewan,YT Yukon"
)
_USA = (
    "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,"
    "DE Delaware,DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,"
    "IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,"
    "MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,"
    "NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,"
    "OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,"
    "SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,WA Washington,"
    "WV West Virginia,WI Wisconsin,WY Wyoming"
)


def _codes(text: str) -> dict[str, str]:
    """Lower-case code -> lower-case name."""
    return {one[:2].casefold(): one[3:].casefold() for one in text.split(",")}


_NAMES: Mapping[str, Mapping[str, str]] = {
    "CA": _codes(_CANADA) | {"québec": "quebec"},
    "US": _codes(_USA),
}


def state_key(country: str, state: str) -> str:
    """What to compare states by: "CA", "california " and "California" of US are one."""
    plain = " ".join(state.casefold().split())
    return _NAMES.get(country, {}).get(plain, plain)
