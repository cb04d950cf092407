"""Web, worker and beat as threads of one process."""

import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from celery.schedules import schedule

from billing_portal.celery import app
from billing_portal.workflows import embedded

pytestmark = [pytest.mark.sends_tasks, pytest.mark.django_db(transaction=True)]

done = list[str]()
may_end = threading.Event()


@app.task(name="tests.note", shared=False)
def note(*, text: str) -> None:
    done.append(text)


@app.task(name="tests.linger", shared=False)
def linger() -> None:
    done.append("began")
    may_end.wait(3)
    time.sleep(0.3)
    done.append("ended")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    done.clear()
    may_end.clear()
    yield
    app.conf.beat_schedule.pop("note", None)


def wait_until(wanted: list[str], *, timeout_s: float = 5) -> list[str]:
    deadline = time.monotonic() + timeout_s
    while done != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return done


def sending_page(environ, start_response):
    note.delay(text="from the page")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"sent"]


def test_a_page_asked_early_is_answered_and_its_task_done():
    server = embedded.bind_web(sending_page, port=0)
    answers = list[bytes]()

    def visit() -> None:
        address = f"http://127.0.0.1:{server.effective_port}/"
        answers.append(urlopen(address, timeout=10).read())

    visitor = threading.Thread(target=visit)
    visitor.start()
    time.sleep(0.2)
    early = list(answers)
    with embedded.worker(app), embedded.web(server):
        visitor.join()
        wait_until(["from the page"])

    assert (early, answers, done) == ([], [b"sent"], ["from the page"])


def test_a_running_task_ends_before_the_worker_does():
    with embedded.worker(app) as thread:
        linger.delay()
        wait_until(["began"])
        may_end.set()

    assert done == ["began", "ended"]
    assert not thread.is_alive()


def test_beat_sends_what_is_due_and_remembers_it(data_dir):
    app.conf.beat_schedule["note"] = {
        "task": "tests.note",
        "schedule": schedule(run_every=0.2),
        "kwargs": {"text": "tick"},
    }

    with embedded.worker(app), embedded.beat(app):
        wait_until(["tick", "tick"])

    assert done[:2] == ["tick", "tick"]
    assert [path.name for path in data_dir.glob("beat-schedule*")] != []


def test_a_taken_port_is_a_sentence():
    server = embedded.bind_web(sending_page, port=0)
    port = int(server.effective_port)

    with pytest.raises(embedded.AddressInUse) as caught:
        embedded.bind_web(sending_page, port=port)

    server.close()
    assert str(caught.value) == (
        f"Port {port} is taken by another program (or an earlier portal that still runs)."
    )
