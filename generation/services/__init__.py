"""What people and the API ask of generation."""

from generation.services.checking import (
    check_files,
    check_generation,
    record_check,
    record_checks,
    targets_for,
    targets_of_model,
)
from generation.services.generating import Made, generate
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

__all__ = [
    "Made",
    "ask_model_release",
    "check_files",
    "check_generation",
    "decide_generation",
    "decide_generations",
    "decide_model",
    "generate",
    "publish_card",
    "record_check",
    "record_checks",
    "register_model",
    "review_of_output",
    "revoke_grant",
    "targets_for",
    "targets_of_model",
    "train_model",
    "unfinished_run",
    "withdraw_card",
]
