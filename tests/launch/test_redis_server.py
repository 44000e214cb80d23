"""Which Redis server an installation gets that was given none."""

import stat
from urllib.parse import urlsplit

import pytest

from portal.launch import redis_server

pytestmark = pytest.mark.once


def program(path, version):
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    path.chmod(0o755)
    return path


def test_the_one_on_the_path_comes_first(tmp_path, monkeypatch):
    mine = program(tmp_path / "redis-server", "7.2.4")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert redis_server.find_binary() == mine


@pytest.mark.parametrize("version", ["5.0.14", "unknown"])
def test_one_that_cannot_be_used_does_not_count(tmp_path, monkeypatch, version):
    program(tmp_path / "redis-server", version)
    in_wheel = program(tmp_path / "in-wheel", "6.2.14")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(redis_server, "_binary_of_wheel", lambda: str(in_wheel))
    assert redis_server.find_binary() == in_wheel


def test_without_either_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_server.importlib.util, "find_spec", lambda name: None)
    assert redis_server.find_binary() is None


def test_its_password_is_in_a_private_file_and_not_among_its_arguments(tmp_path):
    binary = program(tmp_path / "redis-server", "7.2.4")
    server = redis_server.real_server(binary, tmp_path)
    file = tmp_path / "redis" / "redis.conf"
    password = urlsplit(server.url).password
    assert f"requirepass {password}\n" in file.read_text()
    assert password not in " ".join(server.child.command)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
