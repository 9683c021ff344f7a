"""Tests of the pictures that chapters, commands and animations share."""
