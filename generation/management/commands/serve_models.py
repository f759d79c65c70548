from typing import Any

from governance.commands import DONE, ContractCommand


class Command(ContractCommand):
    help = "A worker of the gpu queue: holds the models and makes what is asked for."

    def perform(self, **options: Any) -> int:
        from celery import current_app

        self.tell("Waiting for work on the queue gpu. Ctrl-C stops.")
        current_app.worker_main(
            ["worker", "--queues=gpu", "--pool=solo", "--loglevel=WARNING", "--hostname=gpu@%h"]
        )
        return DONE
