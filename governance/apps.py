from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import queues  # noqa: F401 — fills this app's own slots of the home page
