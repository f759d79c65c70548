from typing import Any

from governance import ledger
from governance.commands import ANSWER_IS_NO, DONE, ContractCommand


class Command(ContractCommand):
    help = "Walk the ledger's chain of hashes and name the first line that is wrong."

    def perform(self, **options: Any) -> int:
        found = ledger.verify()
        line = {"events": found.n_events, "head": found.head, "ok": found.ok, "first_bad": found.first_bad}
        if found.problem:
            line["problem"] = found.problem
        words = (
            f"{found.n_events} events, every one follows from the one before. Head: {found.head}"
            if found.ok
            else f"Event {found.first_bad} is wrong: {found.problem}."
        )
        self.show(line, words=words)
        return DONE if found.ok else ANSWER_IS_NO
