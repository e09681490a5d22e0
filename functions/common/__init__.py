"""What every function shares: the nouns, the errors, and the ports to the outside."""
