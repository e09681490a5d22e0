"""Child process that runs eSpeak NG: text on standard input, audio on standard output.

    child.py LIBRARY DATA VOICE WORDS_PER_MINUTE

Writes the sample rate (4 bytes, little-endian), then signed 16-bit samples. It imports nothing from
the application and gets an empty environment, so that a crash of the C library on untrusted text
affects only this process. Exit code 2: unknown voice.
"""

import ctypes
import sys

_SYNCHRONOUS, _UTF8, _DO_NOT_EXIT = 2, 1, 0x8000
_RATE, _PITCH_BY_CHARACTER = 1, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def main(library_path: str, data_path: str, voice: str, words_per_minute: str) -> int:
    """Synthesize standard input and return the exit code."""
    library = ctypes.CDLL(library_path)
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data_path.encode(), _DO_NOT_EXIT)
    if rate <= 0:
        return 1
    audio = bytearray()

    def receive(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            audio.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(receive)  # keep a reference; the library holds none
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return 2
    library.espeak_SetParameter(_RATE, int(words_per_minute), 0)
    text = sys.stdin.buffer.read().replace(b"\0", b"") + b"\0"
    error = library.espeak_Synth(
        text, ctypes.c_size_t(len(text)), 0, _PITCH_BY_CHARACTER, 0, _UTF8, None, None
    )
    if error != 0:
        return 1
    library.espeak_Synchronize()
    sys.stdout.buffer.write(rate.to_bytes(4, "little") + bytes(audio))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
