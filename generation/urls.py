"""Addresses of models, outputs, checks and runs."""

from django.urls import path

from generation.views import checks, making, models, outputs

app_name = "generation"

urlpatterns = [
    path("models/", models.model_list, name="model-list"),
    path("models/train/", making.train, name="train"),
    path("models/<uuid:public_id>/", models.model, name="model"),
    path("models/versions/<uuid:public_id>/", models.model_version, name="model-version"),
    path("models/versions/<uuid:public_id>/ask-release/", models.ask_release, name="ask-release"),
    path("models/versions/<uuid:public_id>/decide/", models.decide_model, name="decide-model"),
    path("models/versions/<uuid:public_id>/generate/", making.generate, name="generate"),
    path("models/versions/<uuid:public_id>/outputs/", outputs.output_list, name="version-outputs"),
    path("models/versions/<uuid:public_id>/outputs/decide/", outputs.decide_outputs, name="decide-outputs"),
    path("models/outputs/", outputs.output_list, name="output-list"),
    path("models/outputs/<uuid:public_id>/", outputs.output, name="output"),
    path("models/outputs/<uuid:public_id>/decide/", outputs.decide_output, name="decide-output"),
    path("models/outputs/<uuid:public_id>/audio", outputs.output_audio, name="output-audio"),
    path("models/outputs/<uuid:public_id>/peaks", outputs.output_peaks, name="output-peaks"),
    path("models/outputs/<uuid:public_id>/file.wav", outputs.output_file, {"kind": "wav"}, name="output-wav"),
    path(
        "models/outputs/<uuid:public_id>/notes.mid", outputs.output_file, {"kind": "mid"}, name="output-mid"
    ),
    path("models/checks/", checks.check_list, name="check-list"),
    path("models/checks/new/", checks.check_file, name="check-file"),
    path("models/checks/<uuid:public_id>/", checks.check, name="check"),
    path("models/checks/<uuid:public_id>/audio", checks.check_audio, name="check-audio"),
    path("models/checks/<uuid:public_id>/peaks", checks.check_peaks, name="check-peaks"),
    path("models/runs/", making.runs, name="run-list"),
]
