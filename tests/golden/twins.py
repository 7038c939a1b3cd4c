"""What the modules ops_FAMILY.py share. A twin is a function of (*inputs, attributes): what PyTorch computes."""
import torch

DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64,
          "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool}


def plain(f):
    """Of a function of the inputs alone."""
    return lambda *xs_at: f(*xs_at[:-1])


def optional(rest, count):
    """`count` optional inputs (None where the row has none) and the attributes."""
    *given, at = rest
    return (*given, *[None] * (count - len(given)), at)


def fused(y, residual, at):
    """What a product or convolution does in its own pass."""
    gelu = torch.nn.functional.gelu
    activations = {"relu": torch.relu, "gelu": gelu, "gelu_tanh": lambda p: gelu(p, approximate="tanh")}
    activation = activations.get(at.get("activation"))
    y = activation(y) if activation else y
    return y if residual is None else y + residual
