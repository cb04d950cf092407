"""How Django writes days and moments in English, the same as the pages that use babel."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, H:i T"
SHORT_DATE_FORMAT = "M j, Y"
SHORT_DATETIME_FORMAT = "M j, Y, H:i"
TIME_FORMAT = "H:i"
