"""`manage.py prepare`: safe to repeat, and after being killed anywhere."""

import json
import subprocess
import sys
import time

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from portal.management.commands.prepare import _Executor
from tests.launched import ROOT


def test_it_can_be_killed_anywhere_and_run_again(portal_factory):
    portal = portal_factory(SECRET_KEY="x" * 50)
    portal.lay_out()
    command = [sys.executable, "manage.py", "prepare"]
    for tenths in range(6, 20, 2):
        process = subprocess.Popen(command, cwd=ROOT, env=portal.env, stdout=subprocess.PIPE, text=True)
        time.sleep(tenths / 10)
        process.kill()
        process.communicate()
    portal.manage("prepare")
    assert json.loads(portal.manage("prepare")) == {}
    assert portal.manage("migrate", "--check") == ""
    portal.manage("check", "--database", "default")


class Killed(BaseException):
    """What a killed process would look like from inside."""


@pytest.mark.django_db(transaction=True)
def test_a_migration_and_the_note_that_it_was_applied_are_one(monkeypatch):
    class Migration(migrations.Migration):
        operations = [
            migrations.CreateModel(
                "Half",
                fields=[("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=8))],
                options={"indexes": [models.Index(fields=["name"], name="half_name")]},
            )
        ]

    def killed(*_):
        raise Killed

    executor = _Executor(connection)
    monkeypatch.setattr(executor.recorder, "record_applied", killed)
    with pytest.raises(Killed):
        executor.apply_migration(ProjectState(), Migration("0001_half", "halves"))
    assert "halves_half" not in connection.introspection.table_names()
