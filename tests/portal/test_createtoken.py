"""manage.py createtoken."""

import pytest
from django.core.management import CommandError, call_command

from devices.models import User
from devices.services.api_tokens import authenticate_api_token
from tests.base import make_user

pytestmark = pytest.mark.django_db


def test_it_prints_the_token_alone(capsys):
    user = make_user()
    call_command("createtoken", "--user", user.username, "--name", "ci")
    printed = capsys.readouterr()
    secret = printed.out.strip()
    assert printed.out == f"{secret}\n"
    token = authenticate_api_token(secret=secret)
    assert (token.user, token.name) == (user, "ci")
    assert secret not in printed.err


def test_it_refuses_who_may_not_log_in():
    user = make_user()
    User.objects.filter(pk=user.pk).update(is_active=False)
    for name in (user.username, "nobody"):
        with pytest.raises(CommandError):
            call_command("createtoken", "--user", name)


def test_it_refuses_a_token_without_a_name():
    with pytest.raises(CommandError):
        call_command("createtoken", "--user", make_user().username, "--name", " ")
