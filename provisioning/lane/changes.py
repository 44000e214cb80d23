"""Which enrolments changed, as the channel layer tells this process, for the polls it holds."""

import asyncio
import uuid

from devices.hints import ENROLMENTS_GROUP, channel_layer


class Watch:
    """One held poll's interest: in every enrolment until it is bound, then in one."""

    def __init__(self, changes: "Changes") -> None:
        self._changes = changes
        self._seen: set[str] = set()
        self._bound: str | None = None
        self.changed = asyncio.Event()

    def bind(self, enrolment_id: uuid.UUID) -> None:
        self._bound = str(enrolment_id)
        self._changes.bind(self, self._bound)
        if self._bound in self._seen:
            self.changed.set()

    def note(self, enrolment_id: str) -> None:
        self._seen.add(enrolment_id)
        if enrolment_id == self._bound:
            self.changed.set()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._changes.drop(self, self._bound)


class Changes:
    """Which enrolments changed, as the channel layer tells this process."""

    def __init__(self) -> None:
        self._unbound: set[Watch] = set()
        self._bound: dict[str, set[Watch]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        layer = channel_layer()
        channel = await layer.new_channel("polls")
        await layer.group_add(ENROLMENTS_GROUP, channel)
        self._listener = asyncio.create_task(self._listen(channel))

    def watch(self) -> Watch:
        watch = Watch(self)
        self._unbound.add(watch)
        return watch

    def bind(self, watch: Watch, enrolment_id: str) -> None:
        self._unbound.discard(watch)
        self._bound.setdefault(enrolment_id, set()).add(watch)

    def drop(self, watch: Watch, enrolment_id: str | None) -> None:
        self._unbound.discard(watch)
        watches = self._bound.get(enrolment_id or "", set())
        watches.discard(watch)
        if enrolment_id is not None and not watches:
            self._bound.pop(enrolment_id, None)

    async def _listen(self, channel: str) -> None:
        layer = channel_layer()
        while True:
            enrolment_id = (await layer.receive(channel))["enrolment"]
            for watch in [*self._unbound, *self._bound.get(enrolment_id, ())]:
                watch.note(enrolment_id)


_changes: dict[asyncio.AbstractEventLoop, "asyncio.Task[Changes]"] = {}


async def get_changes() -> Changes:
    """The listener of the running event loop, started by the first held poll."""
    loop = asyncio.get_running_loop()
    for closed in [known for known in _changes if known.is_closed()]:
        del _changes[closed]
    task = _changes.get(loop)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = _changes[loop] = loop.create_task(_start_changes())
    return await asyncio.shield(task)


async def _start_changes() -> Changes:
    changes = Changes()
    await changes.start()
    return changes
