"""eSpeak NG: a small formant synthesizer under the GPL, started as a program of its own."""
