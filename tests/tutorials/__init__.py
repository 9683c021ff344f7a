"""Tests of the programs that belong to the tutorials."""
