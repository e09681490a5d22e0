"""The offline storyteller: composes stories by rule from the words of the prompt.

`phrases` picks the hero, the company, the place and the goal out of the prompt; `arc` tells them
over the wished number of scenes with the sentences of `arc.toml`.
"""
