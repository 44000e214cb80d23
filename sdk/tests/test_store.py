from __future__ import annotations

import dataclasses
import errno
import os
import stat

import pytest

from fake_portal import SECRET
from gangway_device import (
    Credentials,
    Desired,
    NotProvisioned,
    Pending,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreExposed,
)
from gangway_device.store import Snapshot

PENDING = Pending("https://portal.example", "A1", "a-poll-token")
KEYED = Pending("https://portal.example", "A1", private_key="k" * 43)
CREDENTIALS = Credentials("A1", "d", SECRET, "t", "au", "wss://portal-au.example/hub/v1", "https://portal-au.example")
SNAPSHOT = Snapshot(Desired(1, 2, {"a": [1, {"b": "ä"}]}), {"type": "applied", "version": 2})


def test_it_gives_back_what_it_was_given(store):
    assert store.load() is None
    unconfirmed = dataclasses.replace(CREDENTIALS, confirm_at="https://portal.example")
    for content in (PENDING, KEYED, unconfirmed, CREDENTIALS):
        store.save(content)
        assert store.load() == content
    assert store.load_credentials() == CREDENTIALS


def test_the_snapshot_has_a_file_of_its_own(store):
    assert store.load_snapshot() is None
    store.save_snapshot(SNAPSHOT)
    assert store.load_snapshot() == SNAPSHOT
    assert store.load() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"generation": 1}'])
def test_a_damaged_snapshot_counts_as_none(content, store):
    store.save_snapshot(SNAPSHOT)
    store.path.with_name("A1.json.twin").write_text(content)
    assert store.load_snapshot() is None


def test_only_the_owner_can_read_it(store):
    before = os.umask(0)
    try:
        store.save(CREDENTIALS)
        store.save_snapshot(SNAPSHOT)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert modes == {0o600} and stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_it_refuses_a_file_that_others_can_use(mode, store):
    store.save(CREDENTIALS)
    store.path.chmod(mode)
    with pytest.raises(StoreExposed, match="chmod 600"):
        store.load()


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
@pytest.mark.parametrize("before", [None, PENDING, CREDENTIALS])
def test_a_crash_at_any_step_leaves_the_old_content(step, before, store, monkeypatch):
    if before is not None:
        store.save(before)

    def crash(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    store.path.parent.mkdir(exist_ok=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, step, crash)
        with pytest.raises(StoreError, match="No space left"):
            store.save(dataclasses.replace(CREDENTIALS, device_id="new"))
    assert store.load() == before
    assert not store.path.with_name(".A1.json.new").exists()


def test_a_crash_after_the_rename_leaves_the_new_content(store, monkeypatch):
    store.save(PENDING)
    synced = []

    def crash_at_the_directory(file):
        synced.append(stat.S_ISDIR(os.fstat(file).st_mode))
        if synced[-1]:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", crash_at_the_directory)
    with pytest.raises(StoreError):
        store.save(CREDENTIALS)
    assert synced == [False, True]
    assert store.load() == CREDENTIALS


def test_what_a_crash_leaves_behind_is_overwritten(store):
    store.save(PENDING)
    left = store.path.with_name(".A1.json.new")
    left.write_text("half a fi")
    left.chmod(0o644)
    store.save(CREDENTIALS)
    assert store.load() == CREDENTIALS and not left.exists()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-30],
        lambda text: text.replace('"deviceId"', '"device"'),
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace("wss://", "file://"),
        lambda text: text.replace(f'"{SECRET}"', "5"),
        lambda text: "\udcff",
    ],
)
def test_a_damaged_file_is_one_clear_error(damage, store):
    store.save(CREDENTIALS)
    store.path.write_text(damage(store.path.read_text()), errors="surrogateescape")
    with pytest.raises(StoreDamaged, match="is damaged") as caught:
        store.load()
    assert SECRET not in repr(caught.value) and caught.value.__suppress_context__


@pytest.mark.parametrize(("old", "new"), [("k" * 43, "k" * 40), ("k" * 43, "not base64url!"), ('"pri', '"none')])
def test_a_damaged_key_is_the_same_clear_error(old, new, store):
    store.save(KEYED)
    store.path.write_text(store.path.read_text().replace(old, new))
    with pytest.raises(StoreDamaged, match="is damaged"):
        store.load()


def test_an_unprovisioned_store_has_no_credentials(store):
    with pytest.raises(NotProvisioned):
        store.load_credentials()
    store.save(PENDING)
    with pytest.raises(NotProvisioned):
        store.load_credentials()


def test_the_lock_is_for_one(store):
    with store.lock(), pytest.raises(StoreBusy):
        store.lock()
    store.lock().release()


def test_what_the_system_refuses_is_one_clear_error(store):
    store.path.parent.write_text("not a directory")
    for action in (store.lock, store.load, lambda: store.save(PENDING)):
        with pytest.raises(StoreError, match="cannot be used"):
            action()
