"""A list costs the same however many rows it shows, and counts no table to its end."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from devices.admin_base import BoundedPaginator
from devices.models import Device, User
from tests.admin import rows

LISTS = [model for model in admin.site._registry if model._meta.label not in {"auth.Group", "devices.Region"}]


def _queries(client, model):
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(page).status_code == 200
    return captured


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_rows(admin_client):
    for _ in range(10):
        rows.make_story()
    few = {model: len(_queries(admin_client, model)) for model in LISTS}

    for _ in range(40):
        rows.make_story()

    assert {model: len(_queries(admin_client, model)) for model in LISTS} == few
    assert max(few.values()) <= 12


@pytest.mark.django_db
def test_counting_stops(admin_client, monkeypatch):
    monkeypatch.setattr("devices.admin_base.COUNTED", 1)
    for _ in range(4):
        rows.make_story()

    assert BoundedPaginator(Device.objects.order_by("pk"), 1).count == 2
    counts = [query["sql"] for query in _queries(admin_client, Device) if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 2" in query for query in counts)
    assert User.objects.count() > 2
