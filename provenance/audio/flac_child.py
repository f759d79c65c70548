"""Unpacks one FLAC file by libFLAC, in a process of its own that `provenance.audio.flac` starts and limits.

It loads little, because it starts once a file. Samples go through memory that both share, slot after slot; standard
output says how many frames a slot holds, in 4 bytes, and a byte on standard input that one is free again. Whatever is not
as the file's header has it ends the process with ``ODD`` at once: a damaged frame, one out of turn, of another rate or
width, more or fewer frames than promised.
"""

import ctypes
import mmap
import os
import sys

ODD = 3
"""Status for a file that is left to another decoder."""

SAMPLE_BYTES = 4
_CONTINUE = 0
_END_OF_STREAM = 4


class FrameHeader(ctypes.Structure):
    """``FLAC__FrameHeader`` of FLAC/format.h, alike from libFLAC 1.1 to 1.5."""

    _fields_ = [
        ("n_frames", ctypes.c_uint32),
        ("sample_rate_hz", ctypes.c_uint32),
        ("n_channels", ctypes.c_uint32),
        ("channel_assignment", ctypes.c_int),
        ("n_bits", ctypes.c_uint32),
        ("number_type", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("crc", ctypes.c_uint8),
    ]


_Write = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(FrameHeader),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_void_p,
)
_Fail = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Slots:
    """The shared memory, and where in it the next frame goes; channels lie one after another in a slot."""

    def __init__(self, descriptor: int, n_slots: int, slot_frames: int, n_channels: int) -> None:
        self._n_slots, self._slot_frames, self._n_channels = n_slots, slot_frames, n_channels
        self._memory = mmap.mmap(descriptor, n_slots * slot_frames * n_channels * SAMPLE_BYTES)
        self._first = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._n_free, self._slot, self._n_held = n_slots - 1, 0, 0

    def add(self, channels: "ctypes._Pointer[ctypes.c_void_p]", n_frames: int) -> None:
        done = 0
        while done < n_frames:
            if self._n_held == self._slot_frames:
                self.hand_over()
            n_taken = min(n_frames - done, self._slot_frames - self._n_held)
            for channel in range(self._n_channels):
                row = self._slot * self._n_channels + channel
                to = self._first + (row * self._slot_frames + self._n_held) * SAMPLE_BYTES
                ctypes.memmove(to, (channels[channel] or 0) + done * SAMPLE_BYTES, n_taken * SAMPLE_BYTES)
            self._n_held += n_taken
            done += n_taken

    def hand_over(self) -> None:
        os.write(1, self._n_held.to_bytes(4, "little"))
        if not self._n_free:
            if not os.read(0, 1):
                os._exit(ODD)
            self._n_free = 1
        self._n_free -= 1
        self._slot = (self._slot + 1) % self._n_slots
        self._n_held = 0


def unpack(
    library: ctypes.CDLL, path: str, slots: Slots, rate: int, n_channels: int, n_bits: int, n_frames: int
) -> None:
    """Unpack a file that keeps what its header promises; another ends the process."""
    done = 0

    def write(decoder: int, header: "ctypes._Pointer[FrameHeader]", channels: object, _: object) -> int:
        nonlocal done
        try:
            frame = header.contents
            told = (frame.first, frame.sample_rate_hz, frame.n_channels, frame.n_bits)
            if told != (done, rate, n_channels, n_bits) or done + frame.n_frames > n_frames:
                os._exit(ODD)
            slots.add(channels, frame.n_frames)  # type: ignore[arg-type]
            done += frame.n_frames
        except BaseException:  # noqa: BLE001 - an error would be lost in a callback, and decoding go on
            os._exit(ODD)
        return _CONTINUE

    on_frame, on_error = _Write(write), _Fail(lambda *_: os._exit(ODD))
    library.FLAC__stream_decoder_new.restype = ctypes.c_void_p
    decoder = ctypes.c_void_p(library.FLAC__stream_decoder_new())
    opened = library.FLAC__stream_decoder_init_file(
        decoder, os.fsencode(path), on_frame, None, on_error, None
    )
    if opened != 0 or not library.FLAC__stream_decoder_process_until_end_of_stream(decoder):
        os._exit(ODD)
    if library.FLAC__stream_decoder_get_state(decoder) != _END_OF_STREAM or done != n_frames:
        os._exit(ODD)
    slots.hand_over()


def main(arguments: list[str]) -> None:
    name, path, *told = arguments
    descriptor, n_slots, slot_frames, rate, n_channels, n_bits, n_frames = map(int, told)
    slots = Slots(descriptor, n_slots, slot_frames, n_channels)
    unpack(ctypes.CDLL(name), path, slots, rate, n_channels, n_bits, n_frames)


if __name__ == "__main__":
    main(sys.argv[1:])
