"""`python -m gangway_device`."""

import sys

from gangway_device.cli import main

sys.exit(main())
