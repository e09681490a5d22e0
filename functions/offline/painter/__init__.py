"""Rule-based rendering of a scene's image.

`paint` parses the prompt (`words`), plans the image (`plan`), paints the place (`places_*`), adds
the characters (`cast`) and applies the style (`finish`). Words, times of day and animals are data:
`words.toml`, `light.toml`, `animals.toml`.
"""
