"""Ops that make tensors of nothing but numbers."""
OPS = {}
