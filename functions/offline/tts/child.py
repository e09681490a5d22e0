"""The program that is started: text on standard input, sound on standard output.

    child.py LIBRARY DATA VOICE WORDS_A_MINUTE

Answers with the number of samples a second (4 bytes, low byte first), then signed 16-bit samples.
It is alone with the library: no part of the application is imported, no environment is given, and
whatever foreign text does to a parser in C ends with this process. Exit code 2: no such voice.
"""

import ctypes
import sys

_SYNCHRONOUS, _UTF8, _DO_NOT_EXIT = 2, 1, 0x8000
_RATE, _PITCH_BY_CHARACTER = 1, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def main(library_path: str, data_path: str, voice: str, words_a_minute: str) -> int:
    """Speak."""
    library = ctypes.CDLL(library_path)
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data_path.encode(), _DO_NOT_EXIT)
    if rate <= 0:
        return 1
    spoken = bytearray()

    def receive(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            spoken.extend(ctypes.string_at(samples, 2 * count))
        return 0

    kept = _CALLBACK(receive)  # the library holds no reference of ours
    library.espeak_SetSynthCallback(kept)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return 2
    library.espeak_SetParameter(_RATE, int(words_a_minute), 0)
    text = sys.stdin.buffer.read().replace(b"\0", b"") + b"\0"
    done = library.espeak_Synth(
        text, ctypes.c_size_t(len(text)), 0, _PITCH_BY_CHARACTER, 0, _UTF8, None, None
    )
    if done != 0:
        return 1
    library.espeak_Synchronize()
    sys.stdout.buffer.write(rate.to_bytes(4, "little") + bytes(spoken))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
