"""What the apps above want to know of the base, which may not import them. Registered once, in their
AppConfig.ready().
"""

from collections.abc import Callable

from devices.models import Device

_on_activation: list[Callable[[Device], None]] = []


def on_activation(hook: Callable[[Device], None]) -> None:
    """Call `hook` in the transaction in which a device makes its first accepted contact."""
    _on_activation.append(hook)


def run_on_activation(device: Device) -> None:
    for hook in _on_activation:
        hook(device)
