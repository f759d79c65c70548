"""Addresses of models, outputs, checks and runs."""

from django.urls import path

from generation.views import cases, checks, making, matches, models, outputs

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
    path(
        "models/checks/<uuid:public_id>/matches/<slug:kind>/<int:rank>/",
        matches.match,
        name="match",
    ),
    path(
        "models/checks/<uuid:public_id>/matches/<slug:kind>/<int:rank>/<slug:name>.png",
        matches.picture,
        name="match-picture",
    ),
    path("models/runs/", making.runs, name="run-list"),
    path("cases/", cases.case_list, name="case-list"),
    path("cases/file/", cases.file_case, name="case-file"),
    path("cases/terms/<uuid:public_id>/", cases.case_terms, name="case-terms"),
    path("cases/<uuid:public_id>/", cases.case, name="case"),
    path("cases/<uuid:public_id>/accept/", cases.accept, name="case-accept"),
    path("cases/<uuid:public_id>/reject/", cases.reject, name="case-reject"),
    path("cases/<uuid:public_id>/withdraw/", cases.withdraw, name="case-withdraw"),
    path("cases/<uuid:public_id>/erase/", cases.erase, name="case-erase"),
    path("cases/<uuid:public_id>/decide/", cases.decide, name="case-decide"),
    path("cases/<uuid:public_id>/answer/", cases.answer, name="case-answer"),
    path("cases/<uuid:public_id>/answers/<int:number>.json", cases.answer_file, name="case-answer-file"),
    path("redress/", cases.public_filing, name="case-public"),
    path("redress/<str:reference>/<str:secret>/", cases.followed, name="case-followed"),
    path(
        "redress/<str:reference>/<str:secret>/withdraw/",
        cases.followed_withdraw,
        name="case-followed-withdraw",
    ),
    path(
        "redress/<str:reference>/<str:secret>/<int:number>.json",
        cases.followed_answer,
        name="case-followed-answer",
    ),
]
