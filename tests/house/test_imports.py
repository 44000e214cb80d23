"""Imports run one way: portal.lib → devices → twins → provisioning → portal; the device library stands apart."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What each room may import of the house. `portal.lib` is a room of its own, below all others.
ALLOWED = {
    "portal.lib": {"portal.lib"},
    "devices": {"portal.lib", "devices"},
    "twins": {"portal.lib", "devices", "twins"},
    "provisioning": {"portal.lib", "devices", "twins", "provisioning"},
    "portal": {"portal.lib", "devices", "twins", "provisioning", "portal"},
    "gangway_device": {"gangway_device"},
}
FOLDERS = {
    "portal.lib": "portal/lib",
    "devices": "devices",
    "twins": "twins",
    "provisioning": "provisioning",
    "portal": "portal",
    "gangway_device": "sdk/src/gangway_device",
}


def room_of(module):
    if module == "portal.lib" or module.startswith("portal.lib."):
        return "portal.lib"
    top = module.split(".")[0]
    return top if top in ALLOWED or top == "tests" else None


def imports(path):
    """All modules a file imports, also inside functions, and the lines where."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            # `from portal import lib` names a module by its last part.
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def files(room):
    for path in sorted((ROOT / FOLDERS[room]).rglob("*.py")):
        if room == "portal" and path.is_relative_to(ROOT / "portal/lib"):
            continue
        yield path


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_is_below_it(room):
    wrong = []
    for path in files(room):
        for module, line in imports(path):
            target = room_of(module)
            # Importing `portal` itself runs only its empty __init__.
            if target is not None and target not in ALLOWED[room] and module != "portal":
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong


def test_the_package_of_the_project_is_empty():
    assert not (ROOT / "portal/__init__.py").read_text(encoding="utf-8").strip()


def test_there_is_something_to_check():
    assert all(list(files(room)) for room in ALLOWED)


def test_only_one_module_sends_to_the_channel_layer():
    senders = [
        str(path.relative_to(ROOT))
        for room in ("devices", "twins", "provisioning", "portal")
        for path in files(room)
        if any(word in path.read_text(encoding="utf-8") for word in (".group_send", "layer().send", "layer.send"))
    ]
    assert senders == ["devices/hints.py"]


def test_adapters_save_nothing():
    adapters = [
        *(ROOT / "portal/api").rglob("*.py"),
        *(ROOT / "portal/console").rglob("*.py"),
        *(ROOT / "provisioning/api").rglob("*.py"),
        *ROOT.glob("*/consumers.py"),
        *ROOT.glob("*/tasks.py"),
    ]
    wrong = []
    for path in adapters:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"bulk_create", "bulk_update", "atomic"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
            if (
                isinstance(node, ast.Attribute)
                and node.attr in {"create", "get_or_create"}
                and "objects" in ast.dump(node)
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong
