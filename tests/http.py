"""What tests of the device REST API share."""

from tests.base import api_client

CODES = "/api/v1/provisioning/codes"
POLL = "/api/v1/provisioning/poll"


def post(path, body, **headers):
    return api_client(**headers).post(path, body, format="json")


def raw(path, body, content_type="application/json", **headers):
    return api_client(**headers).generic("POST", path, body, content_type=content_type)


def assert_problem(answer, status, code):
    """RFC 9457, with what docs/device-protocol.md promises."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["type"].endswith(f"/errors/{code}") and document["type"].startswith("http")
    assert document["title"] and document["detail"]
    assert document["requestId"] == answer["X-Request-Id"]
    assert_for_devices(answer)
    if status in (429, 503):
        assert int(answer["Retry-After"]) >= 1
    return document


def assert_for_devices(answer):
    """No cookie, no redirect, and a length: small clients cannot cope with less."""
    assert "Set-Cookie" not in answer and not answer.cookies
    assert not 300 <= answer.status_code < 400
    if answer.status_code != 204:
        assert int(answer["Content-Length"]) == len(answer.content)
