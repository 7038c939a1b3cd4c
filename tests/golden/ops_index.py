"""Ops that choose elements by index."""
OPS = {}
