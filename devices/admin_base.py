"""What the support admins of all apps share: reading without change, searching by index, actions that call services."""

import json
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from devices.actors import Actor
from devices.errors import DomainError
from devices.serials import serial_key
from portal.lib.network import request_address

# Django's classes take a parameter for the type checker only.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    CountingPaginator = Paginator[Any]
else:
    ModelAdmin = admin.ModelAdmin
    CountingPaginator = Paginator

COUNTED = 10_000
ROWS_PER_ACTION = 200

Verb = Callable[[Any, Actor], object]


class BoundedPaginator(CountingPaginator):
    """Counts to 10,000 and no further: counting a whole table takes longer than reading a page of it."""

    @cached_property
    def count(self) -> int:
        # Django's lists only ever hand over QuerySets.
        rows: Any = self.object_list
        return int(rows[: COUNTED + 1].count())


class SupportAdmin(ModelAdmin):
    """A model that support staff may look up.

    The search compares a whole UUID with `uuid_search`, the start of a serial number with `serial_search`, and the
    start of anything else with `text_search`; a word anywhere in a text would read the whole table. What is in
    `exact_search` is compared whole.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    ordering = ("-pk",)
    uuid_search: Sequence[str] = ()
    serial_search: Sequence[str] = ()
    text_search: Sequence[str] = ()
    exact_search: Sequence[str] = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django would say "Select … to change", which most of these cannot be."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Django shows the search box where there are some."""
        return [*self.uuid_search, *self.serial_search, *self.text_search, *self.exact_search]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            value = uuid.UUID(term)
        except ValueError:
            return queryset.filter(self._matches(term)), False
        # A serial number may have the shape of a UUID.
        named = Q(*[(field, value) for field in self.uuid_search], _connector=Q.OR)
        return queryset.filter(named | self._matches(term)), False

    def _matches(self, term: str) -> Q:
        key = serial_key(term)
        conditions: list[tuple[str, Any]] = [(f"{field}__istartswith", term) for field in self.text_search]
        conditions += [(field, term) for field in self.exact_search]
        if key:
            conditions += [(f"{field}__startswith", key) for field in self.serial_search]
        return Q(*conditions, _connector=Q.OR) if conditions else Q(pk__in=())


class ServiceRowAdmin(SupportAdmin):
    """Rows that only services write. Their pages are for reading; the permission to change them is the permission to
    use the actions of the list, which call services.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Everything that is shown: a page with an input on it would promise what it does not keep."""
        names: list[str] = []
        for field in self.get_fields(request, obj):
            names += [field] if isinstance(field, str) else field
        return names

    def describe(self, row: Any) -> str:
        """A row to somebody who is asked whether they mean it."""
        return str(row)

    def confirmed(
        self, request: HttpRequest, queryset: QuerySet[Any], *, verb: Verb, title: str, consequence: str, done: str
    ) -> HttpResponse | None:
        """Ask, then call `verb` with each row and who asked. What a service refuses becomes a message."""
        rows = list(queryset[: ROWS_PER_ACTION + 1])
        if len(rows) > ROWS_PER_ACTION:
            self.message_user(request, f"Choose at most {ROWS_PER_ACTION} rows at a time.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return self._ask(request, rows, title, consequence)
        self._perform(request, rows, verb, done)
        return None

    def _ask(self, request: HttpRequest, rows: list[Any], title: str, consequence: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "consequence": consequence,
            "rows": [(row.pk, self.describe(row)) for row in rows],
            "action": request.POST["action"],
            "checkbox": ACTION_CHECKBOX_NAME,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/gangway/confirm.html", context)

    def _perform(self, request: HttpRequest, rows: list[Any], verb: Verb, done: str) -> None:
        actor = acting(request)
        count = 0
        for row in rows:
            try:
                outcome = verb(row, actor)
            except DomainError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
                continue
            if outcome is False:
                self.message_user(request, f"{row}: there was nothing to do.", messages.WARNING)
                continue
            self.log_change(request, row, done)
            count += 1
        if count:
            self.message_user(request, f"{done}: {count}.", messages.SUCCESS)


class ReadOnlyAdmin(ServiceRowAdmin):
    """Rows that nobody changes, by any means."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def acting(request: HttpRequest) -> Actor:
    """The member of staff behind a request."""
    user_id = request.user.pk
    if user_id is None:
        raise PermissionError("Nobody is logged in.")
    return Actor.user(user_id, request_address(request.META))


def as_json(document: object) -> SafeString:
    """A JSON document for reading."""
    return format_html("<pre>{}</pre>", json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True))


def search_link(model: type[Model], text: str, term: object) -> SafeString:
    """A link to the list of another model, searched for `term`."""
    meta = model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', address, urlencode({"q": str(term)}), text)


def links(*each: SafeString) -> SafeString:
    return format_html_join(" · ", "{}", ((link,) for link in each))
