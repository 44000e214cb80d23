"""Migrations and models."""

from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
APPS = ("devices", "twins", "provisioning")


@pytest.mark.django_db
def test_no_change_of_a_model_lacks_its_migration():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_every_migration_has_a_name():
    for app in APPS:
        names = sorted(path.stem for path in (ROOT / app / "migrations").glob("0*.py"))
        assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
        assert not [name for name in names if "_auto_" in name]


def test_every_constraint_and_index_has_a_name_of_ours():
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            for index in model._meta.indexes:
                assert index.name and not index.name.endswith("_idx"), (model, index)
            assert (
                not model._meta.unique_together and not model._meta.index_together
                if hasattr(model._meta, "index_together")
                else not model._meta.unique_together
            )


def test_no_text_of_a_row_shows_a_digest_or_prefix_of_a_secret():
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            digests = {field.name for field in model._meta.get_fields() if field.name.endswith("digest")}
            row = model(**dict.fromkeys(digests, "hidden-7"))
            if digests:
                assert "hidden-7" not in str(row) and "hidden-7" not in repr(row)
