"""Models that make music, how they were trained, what they made, and how close that came to what went in."""

from django.db import models
from django.db.models import Q

from governance.models import Job, Organisation, User
from lib.ids import new_public_id
from provenance.models import Dataset, DatasetVersion, IndexBuild, Recording


class GenerativeModel(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="models")
    name = models.SlugField(max_length=100)
    architecture = models.CharField(max_length=60)
    summary = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="model_once")]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """One set of weights. ``dataset_version`` is null only where nobody could say what it was trained on."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model = models.ForeignKey(GenerativeModel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="model_versions"
    )
    checkpoint = models.CharField(max_length=300)  # folder below CHECKPOINT_DIR
    weights_sha256 = models.CharField(max_length=64)
    n_parameters = models.BigIntegerField()
    config = models.JSONField()
    metrics = models.JSONField(default=dict)
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField()

    class Meta:
        ordering = ["model_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="model_version_once"),
            models.CheckConstraint(
                condition=Q(weights_sha256__regex=r"^[0-9a-f]{64}$"), name="model_version_sha256"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model.name}@{self.number}"


class Publication(models.Model):
    """A version's card as strangers may read it: opened by a person for a reason, and closed again by one.

    It names the version that was looked at: a later one is not public because an earlier one was.
    """

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="publications")
    published_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField()
    reason = models.TextField()
    salt = models.CharField(max_length=64)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawal_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-published_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_version"], condition=Q(withdrawn_at=None), name="publication_one_open"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="publication_for_a_reason"),
            models.CheckConstraint(
                condition=Q(withdrawn_by=None, withdrawn_at=None, withdrawal_reason="")
                | (Q(withdrawn_by__isnull=False, withdrawn_at__isnull=False) & ~Q(withdrawal_reason="")),
                name="publication_withdrawn_by_someone_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version}, {'withdrawn' if self.withdrawn_at else 'public'}"


class TrainingRunState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class TrainingRun(models.Model):
    """RUNNING -> DONE | FAILED | STOPPED; a stopped or failed run may be resumed into RUNNING."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model = models.ForeignKey(GenerativeModel, on_delete=models.PROTECT, related_name="training_runs")
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.PROTECT, related_name="training_runs"
    )
    model_version = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="training_run"
    )
    config = models.JSONField()
    seed = models.BigIntegerField()
    n_steps = models.PositiveIntegerField()
    device = models.CharField(max_length=40)
    hardware = models.CharField(max_length=200, blank=True)
    state = models.CharField(
        max_length=20, choices=TrainingRunState.choices, default=TrainingRunState.RUNNING
    )
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    energy_wh = models.FloatField(null=True, blank=True)
    energy_method = models.CharField(max_length=300, blank=True)
    metrics = models.JSONField(default=dict)
    problem = models.TextField(blank=True)
    trained_on = models.JSONField(default=list)  # sha256 of every recording that was in the training split
    held_out = models.JSONField(default=list)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.model.name} on {self.dataset_version}"


class GenerationState(models.TextChoices):
    QUARANTINED = "quarantined", "Not checked yet"
    HELD = "held", "Held"
    RELEASED = "released", "Released"
    REFUSED = "refused", "Refused"


class Generation(models.Model):
    """One output. It stays in quarantine until a check, and where needed a person, lets it go."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="generations")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.PROTECT, related_name="generations")
    prompt = models.TextField(blank=True)
    prompt_audio_sha256 = models.CharField(max_length=64, blank=True)
    seed = models.BigIntegerField()
    seconds = models.FloatField()
    audio = models.CharField(max_length=300)  # name in the storage
    midi = models.CharField(max_length=300, blank=True)
    sha256 = models.CharField(max_length=64)
    state = models.CharField(
        max_length=20, choices=GenerationState.choices, default=GenerationState.QUARANTINED
    )
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    elapsed_s = models.FloatField()

    class Meta:
        ordering = ["-made_at", "-id"]
        indexes = [models.Index(fields=["model_version", "state"]), models.Index(fields=["made_at", "id"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=GenerationState.values), name="generation_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_version} seed {self.seed}"


class Verdict(models.TextChoices):
    NO_MATCH = "no_match", "No match"
    REVIEW = "review", "Review"
    BLOCKED = "blocked", "Blocked"
    UNVERIFIABLE = "unverifiable", "Unverifiable"


class Check(models.Model):
    """One output held against one or more indexes. Never edited: a new look is a new check."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    generation = models.ForeignKey(
        Generation, null=True, blank=True, on_delete=models.PROTECT, related_name="checks"
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="checks")
    file_name = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    reasons = models.JSONField(default=list)
    kinds = models.JSONField(default=list)  # of likeness, that were looked for
    kinds_not_checked = models.JSONField(default=list)
    policy = models.JSONField()
    covers_all = models.BooleanField()
    control = models.BooleanField(default=False)  # against music that the model was not trained on
    elapsed_s = models.FloatField()
    checked_at = models.DateTimeField()
    indexes = models.ManyToManyField(IndexBuild, related_name="checks")
    against = models.ManyToManyField(Dataset, related_name="checks")

    class Meta:
        ordering = ["-checked_at", "-id"]
        indexes = [models.Index(fields=["checked_at", "id"])]
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="check_verdict_known")
        ]

    def __str__(self) -> str:
        return f"{self.file_name}: {self.get_verdict_display()}"


class Match(models.Model):
    """A candidate of a check, above or below the threshold (``accepted`` says which)."""

    check_made = models.ForeignKey(Check, on_delete=models.PROTECT, related_name="matches")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="matches")
    kind = models.CharField(max_length=20)
    rank = models.PositiveSmallIntegerField()
    accepted = models.BooleanField()
    score = models.FloatField()
    p_value = models.FloatField(null=True, blank=True)
    p_kind = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001 — null: not calibrated
    calibration = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    external_id = models.CharField(max_length=1000, blank=True)
    title = models.CharField(max_length=500, blank=True)
    query_start_s = models.FloatField()
    query_end_s = models.FloatField()
    reference_start_s = models.FloatField()
    reference_end_s = models.FloatField()
    occurrences = models.JSONField(default=list)
    tempo_ratio = models.FloatField(default=1.0)
    pitch_shift_semitones = models.FloatField(default=0.0)
    details = models.JSONField(default=dict)  # bit error rate, margin, and the correlations that confirm it

    class Meta:
        ordering = ["check_made_id", "kind", "rank"]
        verbose_name_plural = "matches"
        indexes = [models.Index(fields=["recording", "score", "id"])]
        constraints = [
            models.UniqueConstraint(fields=["check_made", "kind", "rank"], name="match_rank_once"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="match_score_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.check_made} ~ {self.title or self.recording_id}"
