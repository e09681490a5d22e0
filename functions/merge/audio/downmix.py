"""Sound of any channels as two, as loud as it was. Touches nothing."""

_MONO = ("mono", "1 channel")
_STEREO = ("stereo", "2 channels", "downmix")
# ffmpeg by itself plays one channel 3 dB quieter. Of more channels it keeps the front as it is and
# adds centre and surround at -3 dB (ITU-R BS.775); in whole numbers it makes it all 8 dB quieter.
_BOTH_EARS = "pan=stereo|c0=c0|c1=c0"
_DOWNMIX = (
    "aformat=sample_fmts=fltp:channel_layouts=stereo,"
    "alimiter=limit=0.98:attack=5:release=60:level=false:latency=true"
)


def to_stereo(layout: str) -> str:
    """Return the filters that make stereo of sound with the channels that ffmpeg calls `layout`."""
    if layout.startswith(_MONO):
        return _BOTH_EARS
    return "aformat=channel_layouts=stereo" if layout.startswith(_STEREO) else _DOWNMIX
