from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit import jobs, slots  # noqa: F401 — names this app's kinds of job, and fills lower pages
