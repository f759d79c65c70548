"""How often somebody may ask. All processes share the counts, which lie with the broker; where it does not answer,
nothing is counted: what is done without a login, and signing in, waits until it does; everything else goes on, and the
log says so.
"""

import base64
import logging
from hashlib import sha256
from typing import Any

from redis.exceptions import RedisError
from rest_framework.throttling import (
    AnonRateThrottle,
    ScopedRateThrottle,
    SimpleRateThrottle,
    UserRateThrottle,
)

from governance.errors import PartMissingError

logger = logging.getLogger(__name__)


class _Goes:
    """Let pass what can't be counted."""

    def allow_request(self, request: Any, view: Any) -> bool:
        try:
            return bool(super().allow_request(request, view))  # type: ignore[misc]  # of the throttle beside it
        except RedisError as error:
            logger.error(
                "A request was let pass uncounted, for the broker's Valkey does not answer: %s", error
            )
            return True


class _Waits:
    """Refuse what can't be counted."""

    def allow_request(self, request: Any, view: Any) -> bool:
        try:
            return bool(super().allow_request(request, view))  # type: ignore[misc]
        except RedisError as error:
            raise PartMissingError(
                "The part that counts requests is down: nothing was done. Try again in a few minutes."
            ) from error


class AnonThrottle(_Goes, AnonRateThrottle):
    pass


class UserThrottle(_Goes, UserRateThrottle):
    pass


class ScopedThrottle(_Goes, ScopedRateThrottle):
    pass


class AddressThrottle(SimpleRateThrottle):
    """So many requests from one address: the settings' rate of ``scope`` says how many."""

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"throttle_{self.scope}_{self.get_ident(request)}"

    def allows(self, request: Any) -> bool:
        """Count a page that was asked for: of Django's own requests a throttle reads ``META`` alone."""
        return self.allow_request(request, None)  # type: ignore[arg-type]


class ReadingThrottle(_Goes, AddressThrottle):
    pass


class WritingThrottle(_Waits, AddressThrottle):
    pass


class LoginAddressThrottle(WritingThrottle):
    """So many attempts from one address, whoever they claim to be."""

    scope = "login"


class LoginNameThrottle(WritingThrottle):
    """So many attempts at one name, from wherever: an address is cheap to change."""

    scope = "login"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"throttle_login_name_{sha256(self.name_claimed(request).encode()).hexdigest()}"

    def name_claimed(self, request: Any) -> str:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        try:
            return base64.b64decode(header.partition(" ")[2]).partition(b":")[0].decode("utf-8", "replace")
        except ValueError:
            return ""


class FormNameThrottle(LoginNameThrottle):
    """The same name on the page counts as the same name in the API."""

    def name_claimed(self, request: Any) -> str:
        return str(request.POST.get("username", ""))
