"""The API's own description."""

import pytest
from django.core.management import call_command
from django.test import Client


def test_the_schema_is_made_without_a_warning(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yaml"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["schema", "docs", "redoc"])
def test_everybody_may_read_it(path):
    assert Client().get(f"/api/v1/{path}").status_code == 200
