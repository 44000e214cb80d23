"""No secret in any log line, on the whole way from the code to the hub."""

import io
import logging

import pytest
from django.db import connection

from portal.lib.logs import JsonFormatter, TextFormatter
from tests.base import api_client, make_poll_token, make_token, unique
from tests.live import Process, basic, celery_worker, device_socket
from tests.times import until


@pytest.fixture
def written(monkeypatch):
    """Everything any logger of this process writes, in both formats, down to the lowest level."""
    out = io.StringIO()
    root = logging.getLogger()
    handlers = []
    for formatter in (TextFormatter(), JsonFormatter()):
        handler = logging.StreamHandler(out)
        handler.setFormatter(formatter)
        root.addHandler(handler)
        handlers.append(handler)
    yield out
    for handler in handlers:
        root.removeHandler(handler)


def test_no_secret_is_logged_on_the_way_aboard(live_cast, server, written, caplog):
    caplog.set_level(logging.DEBUG)
    start = len(server.log())
    serial, poll_token, token = unique("SN"), make_poll_token(), make_token(live_cast.bob)
    body = {"serialNumber": serial, "pollToken": poll_token}
    headers = {"Authorization": f"Bearer {token}"}
    secrets = {"poll token": poll_token, "API token": token}

    code = server.post("provisioning/codes", body).json()["provisioningCode"]
    secrets["code"] = code
    assert server.poll(body).status_code == 202
    assert server.post("claims", {"provisioningCode": "222222"}, headers=headers).status_code == 404
    assert server.post("claims", {"provisioningCode": code}, headers=headers).status_code == 201
    given = server.poll({"provisioningCode": code, "pollToken": poll_token}).json()
    secrets["device secret"] = given["deviceSecret"]
    assert server.poll({**body, "pollToken": "wrong-" + "x" * 40}).status_code == 403
    assert server.poll(body).json() == given
    authorization = {"Authorization": basic(given["deviceId"], given["deviceSecret"])}
    assert server.post("provisioning/confirm", None, headers=authorization).status_code == 204
    assert server.poll(body).status_code == 410
    assert api_client().post("/api/v1/provisioning/poll", body, format="json").status_code == 410

    class aboard:
        device_id, secret = given["deviceId"], given["deviceSecret"]

    with device_socket(server, aboard) as socket:
        socket.hello()
        socket.ask("report", patch={"a": 1})
    with (
        pytest.raises(Exception, match="40[13]"),
        device_socket(server, type("swapped", (), {"device_id": given["deviceSecret"], "secret": given["deviceId"]})),
    ):
        pass
    until(lambda: "device-refused" in server.log()[start:], "the log")

    lines = server.log()[start:] + written.getvalue() + caplog.text
    assert all(event in lines for event in ("code-issued", "enrolment-unlocked", "device-connected", "reported"))
    for name, secret in secrets.items():
        assert secret not in lines, name
        # Most of it is as good as all of it; two symbols of a code are found anywhere.
        assert len(secret) < 20 or secret[:-4] not in lines, name


def test_a_worker_logs_no_password(live_db):
    with celery_worker() as worker:
        until(lambda: worker.ended() or _is_listening(), "the worker")
        password = connection.settings_dict.get("PASSWORD")
        assert not password or password not in worker.log()


def _is_listening():
    from portal.celery import app

    with app.connection_or_acquire() as broker:
        return broker.default_channel.client.exists("_kombu.binding.gangway")


def test_a_process_that_cannot_start_shows_no_password(live_db):
    process = Process("manage.py", "check", variables={"DATABASE_URL": "nonsense://user:hidden-7@host/db"})
    process.process.wait(60)
    assert process.process.returncode
    assert "hidden-7" not in process.log()
