"""The books of the guess budget."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="EntryCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("user", "User"),
                            ("tenant", "Tenant"),
                            ("people", "all people"),
                            ("devices", "all devices"),
                        ],
                        max_length=8,
                    ),
                ),
                ("source", models.BigIntegerField(default=0)),
                ("hour", models.DateTimeField()),
                ("wrong", models.PositiveIntegerField(default=0)),
                ("wrong_serials", models.PositiveIntegerField(default=0)),
                ("right", models.PositiveIntegerField(default=0)),
                ("chance", models.BigIntegerField(default=0)),
                ("last_entry_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["hour", "scope"], name="entry_count_by_age")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["user", "tenant", "people", "devices"])),
                        name="entry_count_scope_known",
                    ),
                    models.UniqueConstraint(fields=("scope", "source", "hour"), name="entry_count_once_an_hour"),
                ],
            },
        ),
    ]
