"""An ASGI application that reads each body and responds with method and target."""


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": event + ".complete"})
            if event == "lifespan.shutdown":
                return
    if scope["type"] != "http":
        return
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        if not event.get("more_body"):
            break
    target = scope.get("raw_path") or scope["path"].encode()
    text = scope["method"].encode() + b" " + target
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
