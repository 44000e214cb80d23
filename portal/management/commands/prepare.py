"""`manage.py prepare`: brings database, static files and the first administrator up to date before the portal starts.

Safe to repeat, and safe after a run that was killed anywhere. Prints one line of JSON for the launcher.
"""

import hashlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, call_command
from django.core.management.sql import emit_pre_migrate_signal
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from devices.services.bootstrap import bootstrap_installation
from portal.launch.announce import report
from portal.launch.errors import REFUSED
from portal.launch.state import write_private
from portal.lib.env import Environment


class Command(BaseCommand):
    """Checks, migrates, collects static files, and makes the first administrator."""

    help = __doc__
    # Run by hand below, so that what is wrong is said in sentences.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Does everything in order and says who may enter, if that is new."""
        _check()
        password = Environment().secret("GANGWAY_ADMIN_PASSWORD") or None
        try:
            _migrate()
            _collect_static_files()
            administrator = bootstrap_installation(admin_password=password)
        except DatabaseError as error:
            _refuse(f"The database cannot be used: {' '.join(str(error).split())}.")
        except ValidationError as error:
            _refuse(f"GANGWAY_ADMIN_PASSWORD cannot be used: {' '.join(error.messages)}")
        answer: dict[str, str | bool] = {}
        if administrator is not None:
            answer = {"username": administrator.username, "password": administrator.password, "chosen": bool(password)}
        self.stdout.write(json.dumps(answer))


def _check() -> None:
    """Refuses a configuration with errors, and mentions warnings."""
    found = [message for message in checks.run_checks() if not message.is_silenced()]
    for message in found:
        hint = f" {message.hint}" if message.hint else ""
        report(f"{message.msg}{hint} ({message.id})")
    if any(message.is_serious() for message in found):
        sys.exit(REFUSED)


def _refuse(sentence: str) -> None:
    report(sentence)
    sys.exit(REFUSED)


class _Executor(MigrationExecutor):
    """Applies a migration and notes it as applied in one transaction.

    Django itself notes some after their commit: killed in between, they would be applied again, and fail.
    """

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:
        whole = transaction.atomic() if migration.atomic else nullcontext()
        # SQLite can switch its constraint checks off outside of transactions only.
        with self.connection.constraint_checks_disabled(), whole:
            return super().apply_migration(state, migration, fake, fake_initial)


def _migrate() -> None:
    executor = _Executor(connection)
    targets = executor.loader.graph.leaf_nodes()
    executor.loader.check_consistent_history(connection)
    if plan := executor.migration_plan(targets):
        state = executor._create_project_state(with_applied_migrations=True)  # type: ignore[attr-defined]
        emit_pre_migrate_signal(0, False, connection.alias, apps=state.apps, plan=plan)
        executor.migrate(targets, plan, state=state.clone())
    # What Django makes after migrations (permissions and the like) may be missing even if none is left to apply, when
    # the run that applied them was killed. Its own command makes it.
    call_command("migrate", interactive=False, verbosity=0)


def _collect_static_files() -> None:
    """Copies and compresses the static files, unless the ones there come from the same sources."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    sources = _sources_of_static_files()
    if stamp.exists() and stamp.read_text(encoding="utf-8").strip() == sources:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    write_private(stamp, sources)


def _sources_of_static_files() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
