"""eSpeak NG, a formant synthesizer under the GPL, run as a separate process."""
