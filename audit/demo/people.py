"""One login a role, with passwords made for this installation."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from governance import services
from governance.models import Organisation, Role, User
from lib.files import write_text

ORGANISATION = "Demo House"
LOGINS = {
    "steward": Role.DATA_STEWARD,
    "officer": Role.COMPLIANCE_OFFICER,
    "engineer": Role.ML_ENGINEER,
    "label": Role.LABEL_AUDITOR,
    "auditor": Role.EXTERNAL_AUDITOR,
}


@dataclass(frozen=True)
class People:
    organisation: Organisation
    users: dict[str, User]
    passwords: dict[str, str]

    @property
    def steward(self) -> User:
        return self.users["steward"]

    @property
    def officer(self) -> User:
        return self.users["officer"]

    @property
    def engineer(self) -> User:
        return self.users["engineer"]


def gather(folder: Path, *, now: datetime) -> People:
    """Make the demo's people, or find them again with the passwords they were given."""
    kept = folder / "passwords.json"
    passwords: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    users = {}
    for name, role in LOGINS.items():
        passwords.setdefault(name, secrets.token_urlsafe(9))
        member = services.add_member(
            username=name,
            organisation=ORGANISATION,
            role=role,
            by=services.system_user(),
            now=now,
            password=passwords[name],
        )
        users[name] = member.user
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_text(kept, json.dumps(passwords, indent=1))
    kept.chmod(0o600)
    return People(Organisation.objects.get(name=ORGANISATION), users, passwords)
