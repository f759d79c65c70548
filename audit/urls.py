"""Addresses of reports, assessments and campaigns."""

from django.urls import path

from audit import views

app_name = "audit"

urlpatterns = [
    path("gallery/", views.gallery, name="gallery"),
    path("gallery/<uuid:public_id>/", views.public_card, name="public-card"),
    path("models/versions/<uuid:public_id>/publish/", views.publish, name="publish"),
    path("reports/", views.report_list, name="report-list"),
    path("reports/issuer.pem", views.public_key, name="public-key"),
    path("reports/<uuid:public_id>/", views.report, name="report"),
    path("reports/<uuid:public_id>/<str:name>", views.report_file, name="report-file"),
    path("reports/assessments/<uuid:public_id>/", views.assessment, name="assessment"),
    path("reports/campaigns/<uuid:public_id>/", views.campaign, name="campaign"),
    path("models/versions/<uuid:public_id>/report/", views.issue, name="issue"),
    path("models/versions/<uuid:public_id>/assess/", views.assess, name="assess"),
    path("models/versions/<uuid:public_id>/campaign/", views.run_campaign, name="run-campaign"),
    path(
        "models/versions/<uuid:public_id>/attest/<str:framework>/<str:feature>/", views.attest, name="attest"
    ),
]
