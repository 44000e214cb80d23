"""gunicorn with `--port N`, as the other servers have it: one process, threads."""

import sys

from gunicorn.app.wsgiapp import run

at = sys.argv.index("--port")
port = sys.argv[at + 1]
sys.argv[at : at + 2] = [
    "--bind",
    f"127.0.0.1:{port}",
    "--workers",
    "1",
    "--worker-class",
    "gthread",
    "--log-level",
    "error",
]
run()
