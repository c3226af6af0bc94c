"""The page's server: on this machine alone, for whoever knows the address.

The address holds a random token; requests without it, or that name another host (as after DNS
rebinding), are refused before anything is read. Nothing of the page comes from elsewhere.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bottle
import waitress
from waitress import wasyncore

from agents.errors import ConfigError, UserError, one_line
from agents.files import json_text
from agents.play import replies, requests, what_if
from agents.play.shop import Shop

HERE, HOME = "127.0.0.1", "index.html"
PAGE = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
LARGEST = 65_536
"""Bytes of a request: the decisions of a game of a large store are half as many."""
HEADERS = [
    ("Content-Security-Policy",
     "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]  # fmt: skip

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable], Iterable[bytes]]


@contextmanager
def serving(shop: Shop, port: int) -> Iterator[str]:
    """Answers while it is entered, in threads of its own; gives the address of the page. Port 0 is
    any that is free. Raises `ConfigError` where the port cannot be had."""
    try:
        listener = socket.create_server((HERE, port))
    except OSError as error:
        raise ConfigError(
            f"port: {port}: {os.strerror(error.errno or 0)}; allowed: a free port, or none for any"
        ) from None
    port, token = listener.getsockname()[1], secrets.token_urlsafe(16)
    sockets: dict[int, Any] = {}
    server = waitress.create_server(  # pyright: ignore[reportAttributeAccessIssue]
        guarded(application(shop), token, port),
        map=sockets, sockets=[listener], threads=4, max_request_body_size=LARGEST, ident=None,
    )  # fmt: skip
    loop = threading.Thread(target=server.run, daemon=True)
    loop.start()
    try:
        yield f"http://{HERE}:{port}/{token}/"
    finally:
        server.trigger.pull_trigger(partial(wasyncore.close_all, sockets))
        loop.join()
        server.task_dispatcher.shutdown()


def guarded(inner: Wsgi, token: str, port: int) -> Wsgi:
    """The application for requests that name this host and the token, whose paths go on without
    it; every answer gets the headers that keep the page to itself."""
    hosts = {f"{HERE}:{port}", f"localhost:{port}"}
    prefix = f"/{token}/".encode()

    def guard(environ: Environ, start: Callable) -> Iterable[bytes]:
        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start(status, headers + HEADERS, *error)

        path = environ.get("PATH_INFO", "").encode("latin-1")
        if environ.get("HTTP_HOST") not in hosts:
            return _refused(started, f"Host: allowed: {HERE}:{port}")
        if not secrets.compare_digest(path[: len(prefix)], prefix):
            return _refused(started, "no such page: use the address that the terminal shows")
        environ["PATH_INFO"] = path[len(prefix) - 1 :].decode("latin-1")
        return inner(environ, started)

    return guard


def application(shop: Shop) -> bottle.Bottle:
    """Every page and question."""
    app = bottle.Bottle()
    app.default_error_handler = _error  # pyright: ignore[reportAttributeAccessIssue]
    app.install(_one_line_errors)
    app.get("/", callback=partial(_file, HOME))
    app.get("/<name>", callback=_file)
    app.get("/store", callback=lambda: _reply(replies.store_reply(shop)))

    def answers(path: str, kind: type[requests.Kept], answer: Callable[[Any], Any]) -> None:
        app.post(path, callback=lambda: _reply(answer(requests.parse(_body(), kind))))

    def of_game(reply: Callable, read: Callable) -> Callable:
        return lambda asked: reply(read(asked, shop), shop)

    answers("/play", requests.Played, of_game(replies.played_reply, requests.game_of))
    answers("/end", requests.Played, of_game(replies.end_reply, requests.finished))
    answers(
        "/others",
        requests.Customers,
        lambda asked: replies.others_reply(asked.customers, shop),
    )
    answers(
        "/what-if",
        what_if.Change,
        lambda change: replies.what_if_reply(what_if.answers(shop, change), shop),
    )
    return app


def _file(name: str) -> bytes:
    """A file of the page, by a name in its folder."""
    files = {path.name: path for path in PAGE.iterdir() if path.suffix in KINDS}
    if name not in files:
        raise bottle.HTTPError(404, f"{name}: no such page")
    bottle.response.content_type = f"{KINDS[files[name].suffix]}; charset=utf-8"
    return files[name].read_bytes()


def _body() -> bytes:
    if bottle.request.content_type.partition(";")[0] != "application/json":
        raise bottle.HTTPError(415, "Content-Type: allowed: application/json")
    return bottle.request.body.read()  # pyright: ignore[reportAttributeAccessIssue]


def _reply(body: Any) -> str:
    bottle.response.content_type = "application/json"
    return json_text(body)


def _one_line_errors(callback: Callable) -> Callable:
    """What the page asked for and cannot be is one line."""

    def tried(*arguments: Any, **named: Any) -> Any:
        try:
            return callback(*arguments, **named)
        except UserError as mistake:
            raise bottle.HTTPError(400, str(mistake)) from None

    return tried


def _error(error: bottle.HTTPError) -> str:
    bottle.response.content_type = "application/json"
    return json_text({"error": one_line(str(error.body))})


def _refused(start: Callable, message: str) -> Iterable[bytes]:
    start("403 Forbidden", [("Content-Type", "application/json")])
    return [json_text({"error": message}).encode()]
