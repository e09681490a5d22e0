"""Commands for the operator of a stage: doctor, bootstrap, deploy, verify and destroy."""
