"""What can be wrong with audio, and the sentences that say so."""


class AudioError(Exception):
    """Audio that cannot be used. ``reason`` says what is wrong and what to do, in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAudioError(AudioError):
    """The file holds no audio that can be decoded."""


class EmptyAudioError(AudioError):
    """The file is empty or decodes to no sample."""


class TruncatedAudioError(AudioError):
    """The file ends before its own header says it does."""


class NoChannelsError(AudioError):
    """The header claims no channel."""


class TooLongError(AudioError):
    """The audio is longer than the limit."""


class DamagedSamplesError(AudioError):
    """Samples that are not numbers."""


class DecoderMissingError(AudioError):
    """A program, library or soundfont that this file needs is not installed."""


class DecodeLimitError(AudioError):
    """The decoder was stopped at one of its limits."""


def cut(name: str, promised_s: float, held_s: float) -> str:
    """Say that a file ends before its header says it does."""
    return f"{name} promises {promised_s:.1f} s and ends after {held_s:.1f} s: fetch it again"


def too_long(name: str, seconds: float, max_seconds: float) -> str:
    """Say that a file is longer than is taken."""
    lasts, limit = seconds / 3600, max_seconds / 3600
    return f"{name} lasts {lasts:.1f} h or more and at most {limit:.1f} h are taken: cut it into recordings"
