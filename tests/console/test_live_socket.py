"""The socket behind live pages: portal.console.consumers."""

import json
from contextlib import contextmanager

import pytest
from django.conf import settings
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from devices.services.inventory import rename_device
from tests.base import collect, enrolment_of, make_device, make_statement, poll, unlock
from tests.console.pages import logged_in
from tests.times import until

pytestmark = pytest.mark.once


@contextmanager
def live(server, user=None, origin=None):
    headers = {}
    if user:
        headers["Cookie"] = (
            f"{settings.SESSION_COOKIE_NAME}={logged_in(user).cookies[settings.SESSION_COOKIE_NAME].value}"
        )
    address = f"{server.url.replace('http', 'ws')}/live"
    with connect(address, additional_headers=headers, origin=origin or server.url, close_timeout=2) as socket:
        yield socket


def read(socket):
    return json.loads(socket.recv(timeout=20))


def silence(socket):
    with pytest.raises(TimeoutError):
        socket.recv(timeout=0.5)


def test_members_hear_of_the_devices_of_their_tenants_and_nobody_else_does(server, live_cast):
    mine, foreign = make_device(live_cast.tenant_a), make_device(live_cast.tenant_b)
    with live(server, live_cast.vera) as vera, live(server, live_cast.charlie) as charlie:
        rename_device(device=mine, name="New name")
        assert read(vera) == {"type": "device", "device": str(mine.public_id), "what": "device"}
        rename_device(device=foreign, name="New name")
        assert read(charlie)["device"] == str(foreign.public_id)
        silence(vera)


def test_a_page_hears_of_the_enrolment_it_follows(server, live_cast):
    statement, other = make_statement(), make_statement()
    poll(statement), poll(other)
    with live(server, live_cast.charlie) as page:
        page.send(str(enrolment_of(statement).public_id))
        page.ping().wait(5)
        until(lambda: _was_told(page, statement, live_cast), "the enrolment to be told")
        unlock(other, live_cast.tenant_a)
        silence(page)


def _was_told(page, statement, cast):
    """Joining takes a moment that nothing tells the end of; the enrolment moves twice."""
    try:
        unlock(statement, cast.tenant_a) if enrolment_of(statement).state == "waiting" else collect(statement)
        return read(page) == {"type": "enrolment", "enrolment": str(enrolment_of(statement).public_id)}
    except TimeoutError:
        return False


def test_somebody_who_is_not_logged_in_is_refused(server, live_cast):
    with pytest.raises(InvalidStatus), live(server):
        pass


def test_a_page_of_another_origin_is_refused(server, live_cast):
    with pytest.raises(InvalidStatus), live(server, live_cast.alice, origin="https://elsewhere.example"):
        pass


def test_what_is_no_id_ends_the_connection(server, live_cast):
    with live(server, live_cast.alice) as page:
        page.send("nonsense")
        until(lambda: page.close_code, "the end")
        assert page.close_code == 4400
