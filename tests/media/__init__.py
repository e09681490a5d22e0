"""Media tests: real clips in, decoded frames and audio out. They use only ffmpeg and files."""
