#!/usr/bin/env python
"""Django's command line for the portal."""

import os
import sys

from portal.lib.env import ConfigurationError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(f"gangway: {error}")


if __name__ == "__main__":
    main()
