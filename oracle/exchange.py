"""One input sent to one server, and what is seen of its responses."""

import dataclasses
import re
import socket
import time

HEAD = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
# Statuses of servers that refuse what they parse. Others show that a request was accepted.
REFUSALS = {400, 408, 411, 413, 414, 417, 421, 426, 431, 500, 501, 502, 503, 505}


@dataclasses.dataclass
class Outcome:
    # Requests that got a response that refuses nothing.
    accepted: int
    # The first status that refuses.
    refusal: int | None
    # The server closed the connection within the time.
    closed: bool
    # The request that stands where another parser would find one got a response.
    hidden: bool


def exchange(port, data, quiet, patience):
    """Returns what comes back until the server closes, or sends nothing for `quiet` seconds after a response, or for
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
    # Bodies of the servers here never hold such a line.
    statuses = [int(status) for status in HEAD.findall(received)]
    final = [status for status in statuses if status >= 200 or status == 101]
    refusals = [status for status in final if status in REFUSALS]
    accepted = len(final) - len(refusals)
    return Outcome(accepted, refusals[0] if refusals else None, closed, hides(received))


def hides(received):
    """Method and target are in the response: plain, or in base64 as the origin for proxies sends them."""
    return b"GET /hidden" in received or b'"uri":"L2hpZGRlbg=="' in received
