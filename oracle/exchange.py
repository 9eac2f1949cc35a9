"""Sending of one input to one server, and the outcome."""

import dataclasses
import re
import socket
import time

HEAD = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
# Statuses with which servers refuse a request. Any other status means that it was accepted.
REFUSALS = {400, 408, 411, 413, 414, 417, 421, 426, 431, 500, 501, 502, 503, 505}


@dataclasses.dataclass
class Outcome:
    # Number of requests whose responses are not refusals.
    accepted: int
    # The status of the first refusal.
    refusal: int | None
    # True if the server closed the connection in time.
    closed: bool
    # True if there was a response to the request that only another parser would find in the input.
    hidden: bool


def exchange(port, data, quiet, patience):
    """Returns the bytes received until the server closes, or sends nothing for `quiet` seconds after a response, or for
    `patience` seconds without one."""
    received, closed = b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(data)
            start = time.monotonic()
            while True:
                rest = quiet if received else patience - (time.monotonic() - start)
                if rest <= 0:
                    break
                connection.settimeout(rest)
                piece = connection.recv(1 << 16)
                if not piece:
                    closed = True
                    break
                received += piece
        except (TimeoutError, socket.timeout):
            pass
        except OSError:
            closed = True
    return outcome(received, closed)


def outcome(received, closed):
    # Bodies of the servers here never contain such a line.
    statuses = [int(status) for status in HEAD.findall(received)]
    final = [status for status in statuses if status >= 200 or status == 101]
    refusals = [status for status in final if status in REFUSALS]
    accepted = len(final) - len(refusals)
    return Outcome(accepted, refusals[0] if refusals else None, closed, hides(received))


def hides(received):
    """Returns whether the response contains the method and the target: plain, or in base64 as sent by the origin for proxies."""
    return b"GET /hidden" in received or b'"uri":"L2hpZGRlbg=="' in received
