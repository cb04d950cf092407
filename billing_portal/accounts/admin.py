"""Users, roles and second factors in the staff dashboard.

A member of staff who is not a superuser can neither edit nor make one.
"""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from billing_portal.accounts.models import User
from billing_portal.admin_frame import PortalAdmin
from billing_portal.admin_print import light, moment

for model in (Group, EmailAddress, Authenticator):
    admin.site.unregister(model)


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


@admin.register(User)
class PortalUserAdmin(UserAdmin, PortalAdmin):
    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "state", "roles", "joined", "last_seen")
    list_filter = ("is_staff", "is_active", "groups")
    search_fields = ("email", "name")
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined", "new_password")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "new_password")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.help_text = "What they may do in the staff dashboard."
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    @display(description="Password")
    def new_password(self, user: User) -> str:
        """A way to set one; nothing of the stored one is shown."""
        return format_html('<a class="link" href="{}">Set a new password</a>', "../password/")

    @display(description="State")
    def state(self, user: User) -> str:
        if not user.is_active:
            return light("off", "Switched off")
        return light("active", "Staff" if user.is_staff else "Client")

    @display(description="Roles")
    def roles(self, user: User) -> str:
        names = [group.name for group in user.groups.all()]
        return ", ".join(["Superuser", *names] if user.is_superuser else names) or "-"

    @display(description="Joined", ordering="date_joined")
    def joined(self, user: User) -> str:
        return moment(user.date_joined)

    @display(description="Last log-in", ordering="last_login")
    def last_seen(self, user: User) -> str:
        return moment(user.last_login)


@admin.register(Group)
class RoleAdmin(GroupAdmin, PortalAdmin):
    list_display = ("name", "members", "rights")
    deletable = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        counts = {
            "member_count": Count("user", distinct=True),
            "right_count": Count("permissions", distinct=True),
        }
        return super().get_queryset(request).annotate(**counts)

    @display(description="Members", ordering="member_count")
    def members(self, group: Any) -> int:
        return int(group.member_count)

    @display(description="Permissions", ordering="right_count")
    def rights(self, group: Any) -> int:
        return int(group.right_count)


@admin.register(Authenticator)
class SecondFactorAdmin(PortalAdmin):
    """Who has a second factor.  Deleting one lets a person in who lost the phone."""

    list_display = ("user", "type", "created", "used")
    list_filter = ("type",)
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = readonly_fields = ("user", "type", "created_at", "last_used_at")
    deletable = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Set up", ordering="created_at")
    def created(self, factor: Authenticator) -> str:
        return moment(factor.created_at)

    @display(description="Last used", ordering="last_used_at")
    def used(self, factor: Authenticator) -> str:
        return moment(factor.last_used_at)
