from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "generation"

    def ready(self) -> None:
        # Names this app's kinds of job, and fills lower pages.
        from generation import jobs  # noqa: F401
        from generation.slots import cases, making  # noqa: F401
