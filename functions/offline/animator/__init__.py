"""The offline camera: sets a still in motion by rule.

`moves` plans the way of the camera, `layers` cuts the still into the distances that its painter
noted, `living` adds weather and lights, `film` lays it all together picture by picture and lets
ffmpeg encode it. Everything works on the planes of the video (Y, U, V), not on RGB.
"""
