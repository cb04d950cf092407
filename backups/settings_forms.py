"""What a client may set on a datastore, one small form per concern.

Each form knows its `changes`: the part of the settings it sets, as a job carries them.
What a form does not ask about stays as it is.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from provisioning.contract import RemoteRejected

from .limits import (
    DEFAULT_THRESHOLDS,
    SIZE_STEP_GB,
    SMALLEST_SIZE_GB,
    SPEEDS_MBIT,
    check_thresholds,
    highest_steady_lower,
)
from .retention import KEEP_NAMES, MOST_KEPT, PruneSettings, check_schedule


class SettingForm(forms.Form):
    """`standing` are the settings as last seen, `size_gb` the size."""

    title: ClassVar[str]
    done: ClassVar[str]

    def __init__(
        self,
        posted: Mapping[str, Any] | None = None,
        *,
        standing: Mapping[str, Any],
        size_gb: int | Decimal,
    ) -> None:
        self.standing, self.size_gb = standing, size_gb
        super().__init__(posted, initial=self.initial_from(standing))

    @classmethod
    def initial_from(cls, standing: Mapping[str, Any]) -> dict[str, Any]:
        return {name: standing[name] for name in cls.base_fields if name in standing}

    @property
    def changes(self) -> dict[str, Any]:
        """What a valid form sets."""
        return dict(self.cleaned_data)

    @property
    def is_change(self) -> bool:
        return any(self.standing.get(name) != value for name, value in self.changes.items())


class AutoscalingForm(SettingForm):
    title = "Autoscaling"
    done = "Autoscaling will be changed"

    autoscaling_enabled = forms.BooleanField(
        label="Let the size follow the use",
        required=False,
        help_text=f"The vendor looks every 5 minutes and changes it in steps of {SIZE_STEP_GB} GB.",
    )
    autoscaling_scale_up_only = forms.BooleanField(
        label="Only upwards",
        required=False,
        help_text="It then never shrinks by itself, so the price only falls when you resize it.",
    )


class ThresholdsForm(SettingForm):
    """The two thresholds.  A pair that may go up and down for ever has to be asked for twice."""

    title = "Autoscaling thresholds"
    done = "The thresholds will be changed"

    autoscaling_lower_percent = forms.IntegerField(
        label="Shrink below, in %",
        help_text="When less than this share is used, it becomes smaller.",
    )
    autoscaling_upper_percent = forms.IntegerField(
        label="Grow above, in %",
        help_text="When more than this share is used, it becomes larger.",
    )
    anyway = forms.BooleanField(label="Set them all the same", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, default in zip(self.base_fields, DEFAULT_THRESHOLDS, strict=False):
            self.initial.setdefault(name, default)
            self.fields[name].widget.attrs |= {"min": 0, "max": 100}
        self.fields["anyway"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        lower = cleaned.get("autoscaling_lower_percent")
        upper = cleaned.get("autoscaling_upper_percent")
        if lower is None or upper is None:
            return cleaned
        try:
            check_thresholds(lower, upper)
        except RemoteRejected as error:
            raise ValidationError(str(error), code="thresholds") from error
        if (warning := flapping(self.standing, self.size_gb, lower, upper)) and not cleaned.get(
            "anyway"
        ):
            self.fields["anyway"].widget = forms.CheckboxInput()
            raise ValidationError(warning, code="flapping")
        return cleaned

    @property
    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "anyway"}


class SpeedForm(SettingForm):
    title = "Speed"
    done = "The speed will be changed"

    speed_mbit = forms.TypedChoiceField(
        label="Bandwidth",
        coerce=int,
        choices=[(speed, f"{speed} Mbit/s") for speed in SPEEDS_MBIT],
        help_text="A lower one leaves more of your own line to others while backups run.",
    )


class RetentionForm(SettingForm):
    """How many backups are kept.  The counts may stay empty: that is 0, no limit."""

    title = "Retention"
    done = "Retention will be changed"

    schedule = forms.CharField(
        label="When to prune",
        max_length=80,
        help_text="daily, weekly, or weekdays and hours such as Mon,Thu 0,12:00, in the backup"
        " server's time zone.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        schedule = self.fields.pop("schedule")
        for name in KEEP_NAMES:
            self.fields[name] = forms.IntegerField(
                label=name.replace("_", " ").capitalize(),
                required=False,
                min_value=0,
                max_value=MOST_KEPT,
            )
        self.fields["schedule"] = schedule

    @classmethod
    def initial_from(cls, standing: Mapping[str, Any]) -> dict[str, Any]:
        kept = standing.get("prune") or PruneSettings().as_json()
        return {name: value for name, value in kept.items() if value}

    def clean_schedule(self) -> str:
        schedule: str = self.cleaned_data["schedule"]
        if schedule == self.initial.get("schedule"):
            return schedule  # the server's own; it may know more forms than we do
        try:
            return check_schedule(schedule)
        except RemoteRejected as error:
            raise ValidationError(str(error), code="schedule") from error

    @property
    def changes(self) -> dict[str, Any]:
        return {"prune": {name: value or 0 for name, value in self.cleaned_data.items()}}


SETTING_FORMS: Mapping[str, type[SettingForm]] = {
    "autoscaling": AutoscalingForm,
    "thresholds": ThresholdsForm,
    "speed": SpeedForm,
    "retention": RetentionForm,
}
"""By the word their address has, in the order they are shown."""


def flapping(standing: Mapping[str, Any], size_gb: int | Decimal, lower: int, upper: int) -> str:
    """A warning if the size could go up and down for ever with these thresholds, else "".

    Judged for the smallest step down that is possible from here on: from 600 GB at least.
    """
    if standing.get("autoscaling_scale_up_only"):
        return ""
    from_gb = max(size_gb, SMALLEST_SIZE_GB + SIZE_STEP_GB)
    steady = highest_steady_lower(from_gb, upper)
    if lower <= steady:
        return ""
    return (
        f"With {lower} and {upper} % the size may go up and down for ever: after a step down from"
        f" {from_gb} GB it may have to grow again. At most {steady} % is steady."
    )
