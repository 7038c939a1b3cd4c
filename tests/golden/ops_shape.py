"""Views and copies."""
import torch

from twins import DTYPES, plain


def cut(x, at):
    index = [slice(None)] * x.ndim
    index[at["axis"]] = slice(at.get("start", 0), at.get("end"), at.get("step", 1))
    return x[tuple(index)]


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
    "slice": cut,
    "select": lambda x, at: x.select(at["axis"], at["index"]),
    "unfold": lambda x, at: x.unfold(at["axis"], at["size"], at["step"]),
    "diagonal": lambda x, at: x.diagonal(at.get("offset", 0), at.get("a", 0), at.get("b", 1)),
    "movedim": lambda x, at: x.movedim(at["from"], at["to"]),
    "unflatten": lambda x, at: x.unflatten(at["axis"], at["sizes"]),
}
PEERS = {"contiguous": lambda x, at: (x.transpose(1, 2) if at.get("transpose") else x).contiguous(
    memory_format=torch.channels_last if at.get("channels_last") else torch.contiguous_format)}
