"""TLS before a server that has none: an authority of the test's own, and a proxy that ends TLS with its certificate."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trustme


class Tls:
    """Listens on a port of its own; what it has decrypted goes on to the Redis of `url`."""

    def __init__(self, url: str, directory: Path) -> None:
        self._redis = urlsplit(url)
        authority = trustme.CA()
        self.authority = directory / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.certificate, self.key = directory / "client.pem", directory / "client.key"
        client = authority.issue_cert("client.test")
        client.private_key_pem.write_to_path(self.key)
        for each in client.cert_chain_pems:
            each.write_to_path(self.certificate, append=True)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self._context)
        authority.configure_trust(self._context)
        self.received = self.refused = 0
        """Bytes that callers sent after a handshake; handshakes that came to nothing."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, options: str = "", host: str = "localhost") -> str:
        """For a caller; the certificate is that of `localhost`."""
        credentials, at, _ = self._redis.netloc.rpartition("@")
        port = self._listener.getsockname()[1]
        return f"rediss://{credentials}{at}{host}:{port}{self._redis.path}{options}"

    def demand_certificates(self) -> None:
        """From now on of every caller."""
        self._context.verify_mode = ssl.CERT_REQUIRED

    def close(self) -> None:
        """Listen no longer."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            inside = self._context.wrap_socket(client, server_side=True)
        except OSError:
            self.refused += 1
            client.close()
            return
        server = socket.create_connection((self._redis.hostname or "", self._redis.port or 6379))
        answers = threading.Thread(target=self._pump, args=[server, inside], daemon=True)
        answers.start()
        self._pump(inside, server, counted=True)
        answers.join()
        server.close()
        inside.close()

    def _pump(self, source: socket.socket, sink: socket.socket, *, counted: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self.received += len(data) if counted else 0
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def tls(url: str, directory: Path) -> Iterator[Tls]:
    """The proxy for the length of the block."""
    made = Tls(url, directory)
    try:
        yield made
    finally:
        made.close()
