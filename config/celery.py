"""The Celery app: two queues, `default` for what the processor does and `gpu` for models."""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = Celery("liner_notes")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Never prefork: a child that is forked after torch or FAISS was used hangs.
app.conf.update(
    worker_pool="threads",
    # Without keys of their own both queues would get every message of their common exchange.
    task_queues=[Queue(name, routing_key=name) for name in ("default", "gpu")],
)
app.autodiscover_tasks()
