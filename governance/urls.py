from django.urls import path

from governance import views

app_name = "governance"

urlpatterns = [
    path("reviews/", views.review_list, name="review-list"),
    path("reviews/<uuid:public_id>/", views.review, name="review"),
    path("jobs/", views.job_list, name="job-list"),
    path("jobs/<uuid:public_id>/", views.job, name="job"),
    path("jobs/<uuid:public_id>/stop/", views.job_stop, name="job-stop"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/verification/", views.ledger_verification, name="ledger-verification"),
]
