"""The portal's HTTP routes a device uses: one request each, no waiting and no state."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from gangway_device import frames
from gangway_device.backoff import parse_retry_after
from gangway_device.errors import AlreadyProvisioned, EnrolmentClosed, FrameError, Refused, WrongPoller
from gangway_device.frames import JsonObject
from gangway_device.network import Network

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 20.0
DEFAULT_POLL_AFTER = 5.0
MATCH_NUMBER_LENGTH = 8
"""The most digits that are believed; the portal sends two."""

_REFUSALS: dict[str, type[Refused]] = {
    "wrong-poller": WrongPoller,
    "already-provisioned": AlreadyProvisioned,
    "enrolment-closed": EnrolmentClosed,
}


class TryLater(Exception):
    """No usable answer for now: `after` seconds, or where that is None, as the back-off says."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True)
class ProvisioningCode:
    """A code for a person to type. `expires_in`: seconds; `verification_uri_complete` already holds the code."""

    code: str = field(repr=False)
    expires_in: float
    verification_uri: str
    verification_uri_complete: str = field(repr=False)

    @property
    def grouped(self) -> str:
        """The code in two halves, as people read it: `K7M 2QX`. The portal ignores the blank."""
        half = (len(self.code) + 1) // 2
        return f"{self.code[:half]} {self.code[half:]}"


@dataclass(frozen=True)
class StillPending:
    """Nobody has let the device in yet. `match_number`: digits to show to the person who does, where there are some."""

    after: float
    match_number: str | None


class Portal:
    """The provisioning routes of the portal at `address`. `identity` is what a proxy may know the device by."""

    def __init__(self, address: str, network: Network, identity: str) -> None:
        self._client = network.http_client(address, identity)

    async def request_code(self, body: JsonObject) -> ProvisioningCode:
        """POST /api/v1/provisioning/codes. Raises Refused, TryLater."""
        answer = await self._post("/api/v1/provisioning/codes", body)
        content = _content(answer)
        try:
            return ProvisioningCode(
                code=str(content["provisioningCode"]),
                expires_in=float(content["expiresIn"]),
                verification_uri=str(content["verificationUri"]),
                verification_uri_complete=str(content["verificationUriComplete"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TryLater("the portal's answer holds no code") from error

    async def poll(self, body: JsonObject, wait: int) -> JsonObject | StillPending:
        """POST /api/v1/provisioning/poll: the hand-over, or that there is none yet.

        `wait`: for how many seconds the portal may hold the request (RFC 7240); 0 to be answered at once.
        Raises Refused, TryLater.
        """
        answer = await self._post("/api/v1/provisioning/poll", body, wait)
        content = _content(answer)
        if answer.status_code != httpx.codes.ACCEPTED:
            return content
        after = frames.seconds(content, "pollAfter")
        if after is None:
            after = parse_retry_after(answer.headers.get("Retry-After"))
        return StillPending(DEFAULT_POLL_AFTER if after is None else after, _match_number(content))

    async def confirm(self, device_id: str, device_secret: str) -> None:
        """POST /api/v1/provisioning/confirm: the credentials are kept. May be repeated. Raises Refused, TryLater."""
        answer = await self._post("/api/v1/provisioning/confirm", None, auth=httpx.BasicAuth(device_id, device_secret))
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise TryLater("the portal's answer is no confirmation")

    async def claim(self, code: str, name: str, token: str) -> None:
        """POST /api/v1/claims with an API token: what a person does in the Console. Raises Refused, TryLater."""
        headers = {"Authorization": f"Bearer {token}"}
        await self._post("/api/v1/claims", {"provisioningCode": code, "name": name}, headers=headers)

    async def __aenter__(self) -> Portal:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def _post(
        self,
        path: str,
        body: JsonObject | None,
        wait: int = 0,
        headers: dict[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.Response:
        prefer = {"Prefer": f"wait={wait}"} if wait else {}
        try:
            answer = await self._client.post(
                path,
                json=body,
                headers={"Accept": "application/json", **prefer, **(headers or {})},
                auth=httpx.USE_CLIENT_DEFAULT if auth is None else auth,
                timeout=httpx.Timeout(CONNECT_TIMEOUT, read=wait + ANSWER_TIMEOUT),
            )
        except httpx.RequestError as error:
            raise TryLater(f"the portal cannot be reached: {error or type(error).__name__}") from error
        if not answer.is_success:
            raise _failure(answer)
        return answer


def _content(answer: httpx.Response) -> JsonObject:
    try:
        return frames.parse_object(answer.content)
    except FrameError:
        # Not a refusal: the page of a captive portal, for one, goes away again. The cause could quote a secret.
        raise TryLater("the portal's answer cannot be understood") from None


def _match_number(content: JsonObject) -> str | None:
    # It goes to a display as it is, so nothing but digits.
    value = content.get("matchNumber")
    usable = isinstance(value, str) and len(value) <= MATCH_NUMBER_LENGTH and value.isascii() and value.isdigit()
    return value if usable else None


def _failure(answer: httpx.Response) -> Exception:
    status = answer.status_code
    retry_after = parse_retry_after(answer.headers.get("Retry-After"))
    try:
        problem = frames.parse_object(answer.content)
    except FrameError:
        problem = {}
    code = str(problem.get("code") or f"http-{status}")
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return TryLater(f"the portal asks to wait [{code}]", retry_after)
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status} from {answer.request.url}")
    if problem.get("errors"):
        detail += f" {json.dumps(problem['errors'])}"
    request_id = problem.get("requestId")
    refusal = _REFUSALS.get(code, Refused)(code, detail, str(request_id) if request_id else None)
    if isinstance(refusal, EnrolmentClosed):
        refusal.retry_after = retry_after
    return refusal
