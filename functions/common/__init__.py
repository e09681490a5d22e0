"""Code that functions share, in layers (docs/architecture.md)."""
