"""The constructs of the stack, one for each part of the system."""
