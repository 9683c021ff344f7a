"""Tests of the pictures that chapters, commands and moving pictures share."""
