"""Addresses of models, outputs, checks and runs."""

from django.urls import path

from generation.views import checks, making, models, outputs

app_name = "generation"

urlpatterns = [
    path("models/", models.model_list, name="model-list"),
    path("models/train/", making.train, name="train"),
    path("models/<uuid:public_id>/", models.model, name="model"),
    path("model-versions/<uuid:public_id>/", models.model_version, name="model-version"),
    path("model-versions/<uuid:public_id>/ask-release/", models.ask_release, name="ask-release"),
    path("model-versions/<uuid:public_id>/decide/", models.decide_model, name="decide-model"),
    path("model-versions/<uuid:public_id>/generate/", making.generate, name="generate"),
    path("model-versions/<uuid:public_id>/outputs/", outputs.output_list, name="version-outputs"),
    path("outputs/", outputs.output_list, name="output-list"),
    path("outputs/<uuid:public_id>/", outputs.output, name="output"),
    path("outputs/<uuid:public_id>/decide/", outputs.decide_output, name="decide-output"),
    path("outputs/<uuid:public_id>/audio", outputs.output_audio, name="output-audio"),
    path("outputs/<uuid:public_id>/peaks", outputs.output_peaks, name="output-peaks"),
    path("outputs/<uuid:public_id>/file.wav", outputs.output_file, {"kind": "wav"}, name="output-wav"),
    path("outputs/<uuid:public_id>/notes.mid", outputs.output_file, {"kind": "mid"}, name="output-mid"),
    path("checks/", checks.check_list, name="check-list"),
    path("checks/new/", checks.check_file, name="check-file"),
    path("checks/<uuid:public_id>/", checks.check, name="check"),
    path("checks/<uuid:public_id>/audio", checks.check_audio, name="check-audio"),
    path("checks/<uuid:public_id>/peaks", checks.check_peaks, name="check-peaks"),
    path("runs/", making.runs, name="run-list"),
]
