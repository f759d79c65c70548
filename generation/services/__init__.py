"""What people and the API ask of generation."""

from generation.services.cases import (
    Filed,
    Filing,
    accept_case,
    answer_case,
    decide_case,
    file_case,
    reject_case,
    sealed_answer,
    set_case_terms,
)
from generation.services.checking import (
    check_files,
    check_generation,
    record_check,
    record_checks,
    targets_for,
    targets_of_model,
)
from generation.services.generating import Made, generate
from generation.services.judging import judge_match, require_judge
from generation.services.listening import listen_to_case, queue_listening
from generation.services.publishing import publish_card, withdraw_card
from generation.services.registering import register_model
from generation.services.releasing import (
    ask_model_release,
    decide_generation,
    decide_generations,
    decide_model,
    review_of_output,
    revoke_grant,
)
from generation.services.training import train_model, unfinished_run
from generation.services.withdrawing import erase_contact, withdraw_case

__all__ = [
    "Filed",
    "Filing",
    "Made",
    "accept_case",
    "answer_case",
    "ask_model_release",
    "check_files",
    "check_generation",
    "decide_case",
    "decide_generation",
    "decide_generations",
    "decide_model",
    "erase_contact",
    "file_case",
    "generate",
    "judge_match",
    "listen_to_case",
    "publish_card",
    "queue_listening",
    "record_check",
    "record_checks",
    "register_model",
    "reject_case",
    "require_judge",
    "review_of_output",
    "revoke_grant",
    "sealed_answer",
    "set_case_terms",
    "targets_for",
    "targets_of_model",
    "train_model",
    "unfinished_run",
    "withdraw_card",
    "withdraw_case",
]
