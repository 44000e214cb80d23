"""The lane and provisioning tokens, on a real server."""

import threading

from django.db import connections

from provisioning.models import Enrolment
from provisioning.services.approvals import approve_operation
from provisioning.services.operations import find_operation
from tests.base import make_poll_token, make_statement, make_tenant, poll
from tests.provisioning.ways.props import SYSTEM, make_token


def test_what_a_plain_poller_waits_for_does_not_answer_a_poll_with_a_token(server, live_db):
    token, secret = make_token(make_tenant())
    headers = {"Authorization": f"Bearer {secret}"}
    statement = make_statement(poll_token=make_poll_token())
    body = {"serialNumber": statement.serial_number, "pollToken": statement.poller.poll_token}
    # The same device, once without its token: it waits for a person who knows its serial number.
    poll(statement)
    first = server.post("provisioning/poll", body, headers=headers)
    assert first.status_code == 202 and first.json()["verificationCode"]
    assert "verificationCode" not in server.poll({**body, "pollToken": body["pollToken"]}).json()
    approve_operation(operation=find_operation(token=token, statement=statement), actor=SYSTEM)
    assert Enrolment.objects.filter(serial_number=statement.serial_number).count() == 2
    answers = [server.post("provisioning/poll", body, headers=headers).status_code for _ in range(3)]
    assert set(answers) <= {200, 429} and 200 in answers


def test_a_held_poll_with_a_token_is_answered_at_the_approval(server, live_db):
    token, secret = make_token(make_tenant())
    statement = make_statement(poll_token=make_poll_token())
    body = {"serialNumber": statement.serial_number, "pollToken": statement.poller.poll_token}
    headers = {"Authorization": f"Bearer {secret}"}
    assert server.post("provisioning/codes", body, headers=headers).status_code == 201
    operation = find_operation(token=token, statement=statement)

    def approve():
        approve_operation(operation=operation, actor=SYSTEM)
        connections.close_all()

    approval = threading.Timer(1.0, approve)
    approval.start()
    answer = server.post("provisioning/poll", body, headers={**headers, "Prefer": "wait=20"})
    approval.join()
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 15
