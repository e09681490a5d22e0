"""The offline painter: draws one picture of a story by rule.

`paint` reads the prompt (`words`), decides what is in the picture (`plan`), paints the place
(`places_*`), puts the characters in (`cast`) and finishes it in the style (`finish`). Words, hours
of the day and animals are data: `words.toml`, `light.toml`, `animals.toml`.
"""
