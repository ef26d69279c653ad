import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from benchmarks import serving, serving_load


@pytest.fixture
def server():
    """Port and requests of a server that returns each body's number as the only logit, and 400 for other bodies."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(body)
            good = body.isdigit()
            text = json.dumps({"predictions": {"logits": [[int(body)]]}} if good else {"message": "no number"}).encode()
            self.send_response(200 if good else 400)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield http_server.server_port, bodies
    http_server.shutdown()
    http_server.server_close()


def test_one_client_gets_the_answers_in_order(server):
    seconds, logits = serving.send_in_turn(server[0], [b"3", b"1", b"2"])
    assert len(seconds) == 3
    np.testing.assert_array_equal(logits, [[3], [1], [2]])


@pytest.mark.parametrize("count", [1, 4, 16])
def test_several_clients_send_every_image_once(server, count):
    port, received = server
    bodies, latencies = [str(number).encode() for number in range(10)], []
    assert serving.measure_clients(port, bodies, content_type=serving.JSON_TYPE, count=count, latencies=latencies) > 0
    assert sorted(received) == bodies
    assert len(latencies) == 10


def test_an_answer_that_is_an_error_ends_the_measurement(server):
    with pytest.raises(SystemExit, match=r"answered 400: \{'message': 'no number'\}"):
        serving.send_in_turn(server[0], [b"nonsense"])


def test_under_load_answers_are_compared_and_bad_requests_counted(server, monkeypatch):
    port, _ = server
    monkeypatch.setattr(serving_load, "BAD_SHARE", 0.3)
    right = serving_load.RequestSet([b"3", b"1", b"2"], np.array([[3.0], [1.0], [2.0]]), serving.JSON_TYPE)
    client_stats = serving_load.run_clients(port, right, clients=3, seconds=0.3)
    assert len(client_stats) == 3
    assert sum(stats.wrong + stats.accepted for stats in client_stats) == 0
    assert min(len(stats.seconds) for stats in client_stats) > 0
    assert sum(stats.refused for stats in client_stats) > 0
    wrong = serving_load.RequestSet([b"3"], np.array([[4.0]]), serving.JSON_TYPE)
    (stats,) = serving_load.run_clients(port, wrong, clients=1, seconds=0.2)
    assert stats.wrong == len(stats.seconds) > 0


def test_the_figures_of_a_load_in_a_line():
    client_stats = [serving_load.ClientStats([0.001] * 98, 1, 5, 0), serving_load.ClientStats([0.003] * 2, 0, 2, 1)]
    assert serving_load.format_stats(client_stats, 10) == (
        "10 images/s, p50 1.0 ms, p99 3.0 ms; 100 answers, 1 wrong; 7 bad requests refused, 1 not"
    )
