from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "provenance"

    def ready(self) -> None:
        from provenance import jobs  # noqa: F401 — names this app's kinds of job
