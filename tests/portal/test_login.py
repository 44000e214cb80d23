"""Wrong passwords are counted, for one name and from one network."""

import pytest
from django.test import Client
from django.urls import reverse

from portal.login import ATTEMPTS
from tests.base import PASSWORD, make_user

PAGES = ["console:login", "admin:login"]


def log_in(page, name, password, network="192.0.2.1"):
    return Client(REMOTE_ADDR=network).post(reverse(page), {"username": name, "password": password})


@pytest.mark.parametrize("page", PAGES)
def test_after_ten_wrong_passwords_the_right_one_has_to_wait(db, page):
    user = make_user(is_staff=True)
    for _ in range(ATTEMPTS):
        assert b"Too many wrong passwords" not in log_in(page, user.username, "wrong").content
    answer = log_in(page, user.username, PASSWORD)
    assert answer.status_code == 200
    assert b"Too many wrong passwords" in answer.content


def test_another_network_and_another_person_are_not_kept_out(db):
    user, other = make_user(is_staff=True), make_user()
    for _ in range(ATTEMPTS):
        log_in(PAGES[0], user.username, "wrong")
    assert log_in(PAGES[0], user.username, PASSWORD, network="192.0.2.2").status_code == 302
    assert log_in(PAGES[0], other.username, PASSWORD).status_code == 302


def test_the_admin_is_found_without_its_slash(db):
    answer = Client().get("/admin")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
