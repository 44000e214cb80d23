"""`manage.py createtoken --user admin`: an API token for programs, alone on stdout."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.errors import DomainError
from devices.models import User
from devices.services.api_tokens import create_api_token


class Command(BaseCommand):
    help = "Create an API token for a user and print it, alone, on standard output. It is shown only here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="User name.")
        parser.add_argument("--name", default="command line", help="What the token is for.")

    def handle(self, *args: Any, user: str, name: str, **options: Any) -> None:
        owner = User.objects.filter(username=user, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {user!r}.")
        try:
            _, secret = create_api_token(user=owner, name=name)
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(secret)
