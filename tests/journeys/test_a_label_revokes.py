"""A label revokes a grant: the gate closes, an officer decides, the label reads a signed answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation import answers, queries
from generation.models import Case
from governance import ledger, signing
from governance.models import User
from provenance.models import Party
from tests.generation.case_scene import a_case_house


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.django_db
def test_from_the_revocation_to_the_answer(tmp_path: Path, settings: Any, capsys: Any) -> None:
    settings.KEY_DIR = tmp_path / "keys"
    house = a_case_house(tmp_path)
    label, officer = client_of(house.label), client_of(house.officer)
    Party.objects.filter(pk=house.grant.licensor_id).update(stands_for=house.organisation)
    assert queries.gate_of(house.version, at=timezone.now()).is_open

    filed = label.post(
        reverse("generation:case-file"),
        {
            "kind": "revoke",
            "organisation": str(house.organisation.public_id),
            "grant": str(house.grant.public_id),
            "holder": "Cellar Records",
            "words": "The deal is over.",
        },
    )
    case = Case.objects.get()
    at = reverse("generation:case", args=[case.public_id])
    assert filed.status_code == 302
    assert filed["Location"] == at

    gate = queries.gate_of(house.version, at=timezone.now())
    assert gate.n_not_cleared == 2
    model_page = officer.get(
        reverse("generation:model-version", args=[house.version.public_id])
    ).content.decode()
    assert case.reference in model_page
    assert "Gate closed" in model_page
    assert "Rights holders who wait" in officer.get(reverse("home")).content.decode()
    seen = label.get(at).content.decode()
    assert "Not answered yet" in seen
    assert "tide@1" not in seen  # a label reads of models by the answer

    decided = officer.post(
        reverse("generation:case-decide", args=[case.public_id]),
        {"version": [str(house.version.public_id)], "remedy": "retrain", "reason": "We train it anew."},
    )
    assert decided.status_code == 302
    answered = officer.post(
        reverse("generation:case-answer", args=[case.public_id]), {"words": "It stays closed until then."}
    )
    assert answered.status_code == 302
    assert not queries.gate_of(house.version, at=timezone.now()).is_open

    read = label.get(at).content.decode()
    for said in ("It stays closed until then.", "tide@1", "To be retrained without them", "2 min"):
        assert said in read.replace("\u202f", " ")
    sealed = label.get(reverse("generation:case-answer-file", args=[case.public_id, 1])).content
    issuer = tmp_path / "keys" / signing.PUBLIC_NAME
    assert answers.verify(sealed, signing.load_public_key(issuer)).ok
    file = tmp_path / "answer.json"
    file.write_bytes(sealed)
    call_command("verify_answer", str(file), "--public-key", str(issuer), "--json")
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert ledger.verify().ok
