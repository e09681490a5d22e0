"""Tests of the synthesized template, the state machine and the layers."""
