"""Downmix audio of any channel layout to stereo at the same loudness. Performs no I/O."""

_MONO_LAYOUTS = ("mono", "1 channel")
_STEREO_LAYOUTS = ("stereo", "2 channels", "downmix")
# By default ffmpeg attenuates mono by 3 dB. With more channels it keeps the front channels and adds
# centre and surround at -3 dB (ITU-R BS.775), but attenuates the sum by 8 dB in integer formats.
# So the downmix is done in floats, with a limiter.
_MONO_TO_STEREO = "pan=stereo|c0=c0|c1=c0"
_DOWNMIX = (
    "aformat=sample_fmts=fltp:channel_layouts=stereo,"
    "alimiter=limit=0.98:attack=5:release=60:level=false:latency=true"
)


def to_stereo(layout: str) -> str:
    """Return the filters that convert a channel layout, as named by ffmpeg, to stereo."""
    if layout.startswith(_MONO_LAYOUTS):
        return _MONO_TO_STEREO
    return "aformat=channel_layouts=stereo" if layout.startswith(_STEREO_LAYOUTS) else _DOWNMIX
