"""A WSGI application that reads each body and responds with method and target."""


def application(environ, start_response):
    body = environ["wsgi.input"]
    # Without wsgi.input_terminated the end of the stream is not the end of the body.
    if environ.get("wsgi.input_terminated") or environ.get("HTTP_TRANSFER_ENCODING"):
        body.read()
    elif environ.get("CONTENT_LENGTH"):
        body.read(int(environ["CONTENT_LENGTH"]))
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO", "")
    text = f"{environ['REQUEST_METHOD']} {target}".encode("latin-1", "replace")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
