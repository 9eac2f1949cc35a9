"""Python servers with their own interfaces: standalone.py NAME PORT."""

import sys


def respond(method, target):
    return f"{method} {target}".encode("latin-1", "replace")


def serve_aiohttp(port):
    from aiohttp import web

    async def handler(request):
        await request.read()
        return web.Response(body=respond(request.method, request.raw_path))

    application = web.Application(client_max_size=10 << 20)
    application.router.add_route("*", "/{rest:.*}", handler)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


def serve_tornado(port):
    import asyncio

    import tornado.web

    class Handler(tornado.web.RequestHandler):
        SUPPORTED_METHODS = tornado.web.RequestHandler.SUPPORTED_METHODS + ("TRACE", "PROPFIND")

        def all(self, *_):
            self.write(respond(self.request.method, self.request.uri))

        get = head = post = put = delete = patch = options = trace = propfind = all

        def check_xsrf_cookie(self):
            pass

    async def run():
        tornado.web.Application([(r".*", Handler)]).listen(port, "127.0.0.1", max_body_size=10 << 20)
        await asyncio.Event().wait()

    asyncio.run(run())


def serve_twisted(port):
    from twisted.internet import reactor
    from twisted.web import resource, server

    class All(resource.Resource):
        isLeaf = True

        def render(self, request):
            request.content.read()
            return request.method + b" " + request.uri

    reactor.listenTCP(port, server.Site(All()), interface="127.0.0.1")
    reactor.run()


def serve_cheroot(port):
    from cheroot import wsgi

    from wsgi import application

    wsgi.Server(("127.0.0.1", port), application, numthreads=64).start()


def serve_http_server(port):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name):
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self.all

        def all(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            text = respond(self.command, self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


globals()[f"serve_{sys.argv[1]}"](int(sys.argv[2]))
