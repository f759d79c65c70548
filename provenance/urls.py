from django.urls import path

from provenance.views import datasets, grants, policies, recordings, reservations

app_name = "provenance"

urlpatterns = [
    path("datasets/", datasets.dataset_list, name="dataset-list"),
    path("datasets/register/", datasets.register, name="dataset-register"),
    path("datasets/<uuid:public_id>/", datasets.dataset, name="dataset"),
    path("datasets/<uuid:public_id>/approve/", datasets.approve, name="dataset-approve"),
    path("datasets/<uuid:public_id>/freeze/", datasets.freeze, name="dataset-freeze"),
    path("datasets/<uuid:public_id>/index/", datasets.index, name="dataset-index"),
    path("versions/<uuid:public_id>/", datasets.version, name="version"),
    path("recordings/", recordings.recording_list, name="recording-list"),
    path("recordings/<uuid:public_id>/", recordings.recording, name="recording"),
    path("recordings/<uuid:public_id>/audio", recordings.recording_audio, name="recording-audio"),
    path("recordings/<uuid:public_id>/peaks", recordings.recording_peaks, name="recording-peaks"),
    path("conflicts/", recordings.conflict_list, name="conflict-list"),
    path("conflicts/<uuid:public_id>/", recordings.conflict, name="conflict"),
    path("grants/", grants.grant_list, name="grant-list"),
    path("grants/register/", grants.register, name="grant-register"),
    path("grants/<uuid:public_id>/", grants.grant, name="grant"),
    path("grants/<uuid:public_id>/revoke/", grants.revoke, name="grant-revoke"),
    path("policies/", policies.current, name="policies"),
    path("policies/policy.yaml", policies.current_file, name="policies-file"),
    path("policies/propose/", policies.propose, name="policy-propose"),
    path("policies/<uuid:public_id>/", policies.policy, name="policy"),
    path("policies/<uuid:public_id>/policy.yaml", policies.policy_file, name="policy-file"),
    path("opt-outs/", reservations.reservation_list, name="reservation-list"),
    path("opt-outs/record/", reservations.record, name="reservation-record"),
    path("opt-outs/declare/", reservations.declare, name="reservation-declare"),
    path("opt-outs/<uuid:public_id>/", reservations.reservation, name="reservation"),
    path("opt-outs/<uuid:public_id>/snapshot", reservations.snapshot, name="reservation-snapshot"),
    path("opt-outs/<uuid:public_id>/withdraw/", reservations.withdraw, name="reservation-withdraw"),
    path("memos/", reservations.memo_list, name="memo-list"),
    path("memos/record/", reservations.record_memo, name="memo-record"),
    path("memos/<uuid:public_id>/withdraw/", reservations.withdraw_memo, name="memo-withdraw"),
    path("licences/", grants.licence_list, name="licence-list"),
    path("licences/<str:licence_id>/", grants.licence, name="licence"),
]
