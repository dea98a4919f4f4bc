"""Something on a port that answers each question by its beginning, and closes."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def answering(answers: Mapping[str, str]) -> Iterator[tuple[int, list[str]]]:
    """The port, and what is asked there; the first of `answers` whose name a question begins with is given."""
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            question = self.rfile.readline().decode()
            asked.append(question)
            answer = next((text for begin, text in answers.items() if question.startswith(begin)), "")
            self.wfile.write(answer.encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(server.server_address[1]), asked
        finally:
            server.shutdown()
            thread.join()
