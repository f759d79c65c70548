from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "generation"

    def ready(self) -> None:
        from generation import jobs, slots, slots_cases  # noqa: F401 — names this app's kinds of job, and fills lower pages
