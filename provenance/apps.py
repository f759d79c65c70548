from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "provenance"

    def ready(self) -> None:
        # names this app's kinds of job, fills its slots
        from provenance import jobs, slots, slots_reservations  # noqa: F401
