"""The one way the launcher fails."""

from typing import Final

REFUSED: Final = 2
FAILED: Final = 1


class LaunchError(Exception):
    """The portal cannot be started. The text is one sentence for a person; empty when it was said already."""

    def __init__(self, text: str = "", *, status: int = REFUSED) -> None:
        super().__init__(text)
        self.status = status
