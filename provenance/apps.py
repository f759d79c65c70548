from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "provenance"

    def ready(self) -> None:
        from provenance import jobs, slots  # noqa: F401 — names this app's kinds of job, fills its slots
