"""Rule-based stories, composed from the words of the prompt.

`phrases` extracts the hero, the companion, the places and the goal from the prompt. `arc` composes
the requested number of scenes with the sentence templates of `arc.toml`.
"""
