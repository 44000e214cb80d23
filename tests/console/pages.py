"""What tests of pages share."""

from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse

from tests.base import PASSWORD

HTMX = {"HX-Request": "true"}


def logged_in(user, **kw):
    client = Client(raise_request_exception=False, **kw)
    client.force_login(user)
    return client


def part_of(target):
    """The headers htmx sends when it asks for a part of the page."""
    return {**HTMX, "HX-Target": target}


def url(name, *arguments):
    return reverse(f"console:{name}", args=arguments)


def device_urls(device_id):
    return [url(name, device_id) for name in ("claimed", "device", "device-twin", "device-access")]


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.words = []

    def handle_data(self, data):
        self.words += data.split()


def text_of(answer):
    """What a person reads, on one line."""
    parser = _Text()
    parser.feed(answer.content.decode())
    return " ".join(parser.words)


def is_whole_page(answer):
    return b"<!doctype html>" in answer.content


def log_in_by_form(client, user, password=PASSWORD):
    return client.post(url("login"), {"username": user.username, "password": password})
