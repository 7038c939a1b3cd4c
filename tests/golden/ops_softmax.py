"""Softmax and its kin."""
OPS = {"softmax": lambda x, at: x.softmax(at.get("axis", -1))}
