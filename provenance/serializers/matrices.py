"""The clearance matrix in JSON: the question, what narrows it, and each recording's answers."""

from typing import Any

from rest_framework import serializers

from governance.pages import PAGE_SIZE
from governance.paging import Pages
from governance.serializers import QuerySerializer
from provenance.models import Right
from provenance.queries.clearances import MatrixRow
from provenance.rights.values import ANSWERS, PURPOSES
from provenance.serializers.clearances import ClearanceSerializer, TerritoryField, UseSerializer

BASES = ("licence", "grant", "public_domain", "own", "statutory_exception")
SORTS = {"id": "external_id", "title": "title", "artist": "artist"}


def _words(about: str) -> serializers.CharField:
    return serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500, help_text=about
    )


def _choice(choices: Any, about: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=choices, required=False, default="", allow_blank=True, help_text=about
    )


def _mark(about: str) -> serializers.BooleanField:
    return serializers.BooleanField(required=False, default=False, help_text=about)


class MatrixQuestionSerializer(UseSerializer):
    """What is asked of every recording; ``at`` is a day, for answers are kept by the day."""

    at = serializers.DateField(  # type: ignore[assignment]  # the same word for a day
        required=False,
        allow_null=True,
        default=None,
        help_text="the first moment of a day, UTC; default: now",
    )
    version = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        help_text="a frozen version; default: draft",
    )


class MatrixQuerySerializer(QuerySerializer, MatrixQuestionSerializer):
    q = _words("part of a title, an artist or an external id, or an ISRC")
    answer = _choice(ANSWERS, "recordings whose answer is this one")
    right = _choice(Right.values, "… for this right alone")
    basis = _choice(BASES, "answers on this basis")
    licence = _words("answers by this licence")
    holder = _words("recordings that this party is named as holding")
    weak = _mark("on weak evidence alone")
    contested = _mark("by a contested reading alone")
    left_out = _mark("what a steward left out of the next version")
    sort = serializers.ChoiceField(choices=tuple(SORTS), required=False, default="id")
    after = _words("the mark of the page before this one")
    before = _words("the mark of the page after this one")
    limit = serializers.IntegerField(
        required=False, default=PAGE_SIZE, min_value=1, max_value=Pages.max_limit
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "offset" in self.initial_data:
            raise serializers.ValidationError(
                {
                    "offset": [
                        "This list has no offset: ask for `after` or `before` a mark that an answer gave."
                    ]
                }
            )
        return attrs


class MatrixRowSerializer(ClearanceSerializer):
    entry = serializers.UUIDField()
    recording = serializers.UUIDField()
    external_id = serializers.CharField()
    title = serializers.CharField()
    artist = serializers.CharField()
    isrc = serializers.CharField()
    seconds = serializers.FloatField(allow_null=True)
    holders = serializers.ListField(child=serializers.CharField(), help_text="whoever is named as holding it")
    conditions = serializers.ListField(child=serializers.CharField())
    left_out = serializers.BooleanField(help_text="a steward left it out of the next version")


class AskedSerializer(serializers.Serializer[Any]):
    purpose = serializers.ChoiceField(choices=PURPOSES)
    commercial = serializers.BooleanField()
    territory = TerritoryField()
    at = serializers.DateField(allow_null=True)
    policy = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)


class MatrixSerializer(serializers.Serializer[Any]):
    """One page of answers. ``after`` and ``before`` are marks of its ends, null where nothing lies beyond."""

    question = AskedSerializer()
    worked_out = serializers.BooleanField(
        help_text="whether every answer is kept and current: only then can a list be narrowed by answers"
    )
    job = serializers.UUIDField(allow_null=True, help_text="the job that is working them out")
    counts = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    n_found = serializers.IntegerField(
        allow_null=True, help_text="how many the filters leave; null where a search finds too many to count"
    )
    after = serializers.CharField(allow_null=True)
    before = serializers.CharField(allow_null=True)
    results = MatrixRowSerializer(many=True)


def row_json(row: MatrixRow, *, left_out: bool) -> dict[str, Any]:
    entry = row.entry
    line = row.cleared.as_json()
    return {
        **{name: line[name] for name in ("recording", "external_id", "title", "seconds")},
        **{name: line[name] for name in ("answer", "master", "composition")},
        "entry": entry.public_id,
        "artist": entry.artist or entry.recording.artist,
        "isrc": entry.recording.isrc,
        "holders": row.holders,
        "conditions": list(row.clearance.conditions),
        "left_out": left_out,
    }
