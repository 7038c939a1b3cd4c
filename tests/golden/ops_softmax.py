"""Softmax and its kin."""
OPS = {"softmax": lambda x, at: x.softmax(at.get("axis", -1)),
       "log_softmax": lambda x, at: x.log_softmax(at.get("axis", -1))}
