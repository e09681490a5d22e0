"""Animation of images by camera moves, parallax and particles.

`moves` plans the camera path, `layers` splits the image by its depth map, `living` adds weather and
lights, and `film` composites the frames and encodes them with ffmpeg. All of them work on Y, U and
V planes instead of RGB.
"""
