"""How often one address may file, follow and take back cases without a login, whether by the pages or the API."""

from governance.throttles import ReadingThrottle, WritingThrottle


class FilingThrottle(WritingThrottle):
    """A form without a login must not be a way to bury the officers."""

    scope = "case_filing"


class FollowingThrottle(ReadingThrottle):
    """Nobody tries out links; looked at and taken back, a case counts the same."""

    scope = "case_following"


class TakingBackThrottle(WritingThrottle):
    scope = "case_following"
