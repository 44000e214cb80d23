"""A process that hands over credentials and is killed at one statement after the other. Started by test_faults.

Arguments: JSON of the statement's members. It prints a line for each death: the number of the statement before which it
died. The last line is "done": a run that came to its end.
"""

import json
import os
import signal
import sys

import django


def main():
    django.setup()
    members = json.loads(sys.argv[1])
    fatal = 1
    while True:
        child = os.fork()
        if child == 0:
            _hand_over(members, fatal)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            _say("done" if status == 0 else "failed")
            return
        _say(str(fatal))
        sys.stdin.readline()
        fatal += 1


def _say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _hand_over(members, fatal):
    """Never returns."""
    from django.db import connection

    from devices.actors import Actor
    from provisioning.pollers import Poller
    from provisioning.services.enrolments import Statement
    from provisioning.services.polling import poll_by_serial
    from tests.base import PORTAL

    count = 0

    def count_and_die(execute, sql, params, many, context):
        nonlocal count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    statement = Statement(members["serial"], Poller(members["token"], members["key"]))
    with connection.execute_wrapper(count_and_die):
        poll_by_serial(statement=statement, portal_url=PORTAL, actor=Actor.device())
    os._exit(0)


if __name__ == "__main__":
    main()
