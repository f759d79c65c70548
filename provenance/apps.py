from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "provenance"

    def ready(self) -> None:
        from django.conf import settings

        from provenance.similarity import embedders

        embedders.choose(settings.STYLE_MODEL)
        # names this app's kinds of job, fills its slots
        from provenance import jobs  # noqa: F401
        from provenance.slots import datasets, reservations  # noqa: F401
