import os
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from config.celery import app

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class TestQueues:
    def test_each_get_only_their_own_messages(self) -> None:
        assert {name: queue.routing_key for name, queue in app.amqp.queues.items()} == {
            "default": "default",
            "gpu": "gpu",
        }

    def test_are_worked_off_in_threads(self) -> None:
        assert app.conf.worker_pool == "threads"


class TestWorker:
    def test_answers_and_ends_when_asked(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "config.worker", "--queues", "gpu", "--concurrency", "1"],
            cwd=BASE_DIR,
            env={**os.environ, "TEST_DATA_DIR": str(settings.DATA_DIR)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as worker:
            try:
                limit = time.monotonic() + 300  # loading takes a minute on a busy machine
                answers = None
                while not answers and worker.poll() is None and time.monotonic() < limit:
                    answers = app.control.ping(timeout=0.5)
                assert [reply for answer in answers or [] for reply in answer.values()] == [{"ok": "pong"}]
            finally:
                worker.terminate()
            assert worker.wait(30) == 0
