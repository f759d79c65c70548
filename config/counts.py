"""What all processes share for a while, in the broker's Valkey: how often somebody asked, whether a worker answered."""

import json
from typing import Any

from django.core.cache.backends.redis import RedisCache


class Counts(RedisCache):
    """Django's cache in Redis; it shares its database with the broker's queues, so that `clear` forgets its own alone."""

    def clear(self) -> None:
        client = self._cache.get_client(write=True)
        for key in client.scan_iter(match=self.make_key("*")):
            client.delete(key)


class Json:
    """Values as JSON: whoever can write into a broker must not thereby run code in what reads it, as pickle would."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, written: bytes) -> Any:
        return json.loads(written)
