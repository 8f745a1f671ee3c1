"""Tests. A package by name, because some libraries install a `tests` of their own, which would come first."""
