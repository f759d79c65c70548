from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "generation"

    def ready(self) -> None:
        # Names this app's kinds of job, says what indexes of other kinds say, and fills lower pages.
        from generation import compositions, jobs, resembling  # noqa: F401
        from generation.slots import cases, making  # noqa: F401
