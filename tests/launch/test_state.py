"""The files the launcher keeps."""

import stat

import pytest

from portal.launch import state

pytestmark = pytest.mark.once


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_directory_is_for_its_owner_alone(tmp_path):
    state.create_data_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_the_secret_key_is_made_once_and_private(tmp_path):
    state.create_secret_key(tmp_path)
    key = (tmp_path / "secret-key").read_text()
    state.create_secret_key(tmp_path)
    assert (tmp_path / "secret-key").read_text() == key
    assert len(key.strip()) >= 64
    assert mode(tmp_path / "secret-key") == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    state.write_private(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        state.write_private(path, "new")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
