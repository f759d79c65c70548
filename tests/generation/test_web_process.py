"""What a web process loads to answer; alone here, for its transaction waits for any other that founds the same house."""

import subprocess
import sys

from django.db import connection

SCRIPT = """
import os, sys
import django
django.setup()
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
connection.settings_dict["NAME"] = {database!r}
from tests.people import a_dataset, client_of, found_people
from governance import jobs
jobs.worker_answers = lambda queue: True
with transaction.atomic():
    people = found_people()
    a_dataset(people.steward, people.house)
    sent = {{"file": SimpleUploadedFile("a.wav", b"no sound"), "against": ["folk"]}}
    answer = client_of(people.steward).post("/api/v1/checks/", sent, format="multipart")
    transaction.set_rollback(True)
print(answer.status_code, [name for name in ("torch", "faiss") if name in sys.modules])
"""


class TestWebProcess:
    def test_loads_neither_torch_nor_faiss_when_a_check_is_asked_for(self, db: None) -> None:
        program = SCRIPT.format(database=connection.settings_dict["NAME"])
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stdout == "202 []\n", done.stderr[-2000:]
