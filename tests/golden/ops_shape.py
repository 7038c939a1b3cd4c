"""Views and copies."""
import torch

from twins import DTYPES, plain

OPS = {
    "reshape": lambda x, at: x.reshape(at["shape"]),
    "flatten": lambda x, at: x.flatten(at.get("first", 0), at.get("last", -1)),
    "transpose": lambda x, at: x.transpose(at["a"], at["b"]),
    "permute": lambda x, at: x.permute(at["axes"]),
    "narrow": lambda x, at: x.narrow(at["axis"], at["start"], at["length"]),
    "squeeze": lambda x, at: x.squeeze(at["axis"]),
    "unsqueeze": lambda x, at: x.unsqueeze(at["axis"]),
    "expand": lambda x, at: x.expand(at["shape"]),
    "contiguous": lambda x, at: x.transpose(1, 2) * 1 if at.get("transpose") else x * 1,
    "clone": plain(torch.clone),
    # The engine starts from these very numbers in every precision, so a conversion has one right answer.
    "to": lambda x, at: x.to(DTYPES[at["dtype"]]),
    "cat": lambda *xs_at: torch.cat(xs_at[:-1], xs_at[-1]["axis"]),
}
PEERS = {"contiguous": lambda x, at: (x.transpose(1, 2) if at.get("transpose") else x).contiguous(
    memory_format=torch.channels_last if at.get("channels_last") else torch.contiguous_format)}
