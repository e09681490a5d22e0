"""What the operator of a stage types: look it over, deploy, try out."""
