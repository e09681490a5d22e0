"""Real clips in, decoded pictures and sound out. Nothing but ffmpeg and files is touched."""
