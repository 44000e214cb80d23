"""GET /metrics, for a Prometheus server that knows METRICS_TOKEN: a few numbers that are cheap to read."""

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from devices.errors import NotFound, Unauthenticated
from portal.problems import problem_response
from provisioning.budget import Stage
from provisioning.models import Enrolment
from provisioning.services.guesses import guess_budget_status
from provisioning.states import EnrolmentState

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# The ends hold every device there ever was; only what is under way is counted.
_COUNTED_STATES = (EnrolmentState.WAITING, EnrolmentState.UNLOCKED, EnrolmentState.DELIVERED)

Sample = tuple[Mapping[str, str], float]


@require_safe
def metrics(request: HttpRequest) -> HttpResponseBase:
    """The numbers in Prometheus' text format. 404 where no token is set, 401 without it."""
    if not settings.METRICS_TOKEN:
        return problem_response(NotFound(), request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), settings.METRICS_TOKEN):
        response = problem_response(Unauthenticated(), request)
        response["WWW-Authenticate"] = 'Bearer realm="gangway metrics"'
        return response
    return HttpResponse("".join(_lines()), content_type=_CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _lines() -> Iterable[str]:
    status = guess_budget_status(worst=0)
    yield from _gauge("hit_chance", "Chance that guessing hit a code within a day.", [({}, status.hit_chance)], "guess")
    yield from _gauge("hit_chance_wished", "What that chance is kept under.", [({}, status.wished)], "guess")
    yield from _gauge(
        "stage",
        "What a code alone is worth at the moment: 1 at the stage in force.",
        [({"stage": stage.label}, float(stage == status.stage)) for stage in Stage],
        "guess",
    )
    yield from _gauge("live_codes", "Provisioning codes that could be entered now.", [({}, status.live_codes)])
    wrong: list[Sample] = [({"kind": "code"}, status.wrong_today), ({"kind": "serial"}, status.wrong_serials_today)]
    yield from _gauge("wrong_entries_today", "Wrong entries within a day.", wrong)
    yield from _gauge("enrolments", "Enrolments under way.", [({"state": k}, n) for k, n in _enrolments().items()])


def _gauge(name: str, text: str, samples: Iterable[Sample], subsystem: str = "") -> Iterable[str]:
    full = "_".join(filter(None, ("gangway", subsystem, name)))
    yield f"# HELP {full} {text}\n# TYPE {full} gauge\n"
    for labels, value in samples:
        inner = ",".join(f'{label}="{content}"' for label, content in labels.items())
        yield f"{full}{{{inner}}} {value:.12g}\n" if inner else f"{full} {value:.12g}\n"


def _enrolments() -> dict[str, int]:
    rows = Enrolment.objects.filter(state__in=_COUNTED_STATES).values_list("state").annotate(Count("pk"))
    return dict.fromkeys((state.value for state in _COUNTED_STATES), 0) | dict(rows)
