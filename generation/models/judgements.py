"""What people say of a match: a person's word beside the engine's, which it never moves."""

from django.db import models
from django.db.models import Q

from generation.models.making import Match
from governance.models import User
from lib.ids import new_public_id


class MatchAnswer(models.TextChoices):
    SAME_RECORDING = "same_recording", "The same recording is in there"
    SAME_COMPOSITION = "same_composition", "The same tune, in another recording"
    NOT_A_COPY = "not_a_copy", "Not a copy: they only sound alike"
    COMMON_MATERIAL = "common_material", "Common material: a loop, a sample or a phrase that many use"
    UNDECIDED = "undecided", "Can't be told by ear"


ACCEPTING = frozenset({MatchAnswer.SAME_RECORDING, MatchAnswer.SAME_COMPOSITION})
DISMISSING = frozenset({MatchAnswer.NOT_A_COPY, MatchAnswer.COMMON_MATERIAL})


class MatchJudgement(models.Model):
    """One person's word about one match. Never edited: who thinks again says so anew, and the newest holds."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    match = models.ForeignKey(Match, on_delete=models.PROTECT, related_name="judgements")
    answer = models.CharField(max_length=20, choices=MatchAnswer.choices)
    reason = models.TextField()
    judged_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    judged_at = models.DateTimeField()
    salt = models.CharField(max_length=64)

    class Meta:
        ordering = ["-judged_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer__in=MatchAnswer.values), name="match_judgement_answer_known"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="match_judgement_for_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.match_id}: {self.get_answer_display()}"

    @property
    def verdict(self) -> str:
        """``accepted``, ``dismissed`` or ``undecided``: what it says of the match."""
        if self.answer in ACCEPTING:
            return "accepted"
        return "dismissed" if self.answer in DISMISSING else "undecided"
