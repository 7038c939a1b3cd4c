#!/usr/bin/env python3
"""Makes tests/golden/models.safetensors: optimizers step by step, and a tiny ViT and VGG trained for ten steps.

    python tests/golden/make_models.py

needs PyTorch 2, timm, NumPy and safetensors. Everything is computed in float64 from values that f32 holds exactly.
  optimizer/NAME/w1 ... w20      the weights after each step; optimizer/w0, optimizer/grad1 ... are shared by all
  vit/weights/..., vgg/weights/...  initial weights under iskra's names (timm's and torchvision's)
  vit/input, labels, logits, gradients/..., losses/adamw, losses/sgd
"""
import copy
import pathlib

import numpy as np
import timm.models.vision_transformer
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

STEPS = 20
TRAIN_STEPS = 10


def exact(x):
    """float64 values that f32 holds exactly."""
    return x.float().double()


def optimizer_goldens(tensors):
    generator = torch.Generator().manual_seed(1)
    # Two axes and one: the rule for weight decay looks at that.
    shapes = {"matrix": (3, 7), "vector": (5,)}
    w0 = {k: exact(torch.randn(s, generator=generator, dtype=torch.float64)) for k, s in shapes.items()}
    grads = [{k: exact(torch.randn(s, generator=generator, dtype=torch.float64)) for k, s in shapes.items()}
             for _ in range(STEPS)]
    rates = exact(0.02 * torch.rand(STEPS, generator=generator, dtype=torch.float64) + 0.005)
    tensors["optimizer/rates"] = rates.numpy()
    for k in shapes:
        tensors[f"optimizer/w0/{k}"] = w0[k].float().numpy()
        for t, g in enumerate(grads):
            tensors[f"optimizer/grad{t + 1}/{k}"] = g[k].float().numpy()

    def adamw(ps, **options):
        return torch.optim.AdamW(ps, **options)

    def sgd(ps, **options):
        return torch.optim.SGD(ps, lr=0.01, **options)

    def undecayed_vector(w):
        return [{"params": [w["matrix"]]}, {"params": [w["vector"]], "weight_decay": 0.0}]

    makers = {
        "adamw": lambda w: adamw(undecayed_vector(w), weight_decay=0.25),
        "adamw_decay_all": lambda w: adamw(list(w.values()), weight_decay=0.25),
        "adamw_betas": lambda w: adamw(list(w.values()), weight_decay=0, betas=(0.5, 0.75), eps=0.0625),
        "sgd": lambda w: sgd(list(w.values())),
        "sgd_decay": lambda w: sgd(undecayed_vector(w), weight_decay=0.125),
        "sgd_momentum": lambda w: sgd(list(w.values()), momentum=0.875, weight_decay=0.125),
        "sgd_nesterov": lambda w: sgd(undecayed_vector(w), momentum=0.875, weight_decay=0.125, nesterov=True),
    }
    for name, make in makers.items():
        w = {k: v.clone().requires_grad_() for k, v in w0.items()}
        optimizer = make(w)
        for t in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = rates[t].item()
            for k in w:
                w[k].grad = grads[t][k].clone()
            optimizer.step()
            for k in w:
                tensors[f"optimizer/{name}/w{t + 1}/{k}"] = w[k].detach().numpy().copy()


def tiny_vit():
    return timm.models.vision_transformer.VisionTransformer(
        img_size=28, patch_size=4, in_chans=1, embed_dim=32, depth=2, num_heads=4, num_classes=5)


class TinyVgg(torch.nn.Module):
    """torchvision's VGG without the adaptive pool, which does nothing at the size that the model was made for."""

    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(6, 10, 3, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(10, 10, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
        self.classifier = torch.nn.Sequential(torch.nn.Linear(90, 24), torch.nn.ReLU(), torch.nn.Dropout(0.0),
                                              torch.nn.Linear(24, 4))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def model_goldens(tensors, name, model, input_shape, classes):
    generator = torch.Generator().manual_seed(2)
    model = model.double()
    with torch.no_grad():
        for key, p in model.named_parameters():
            # Everything random, biases and norms too: a forgotten one must show.
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.copy_(exact(0.1 * noise + (1.0 if "norm" in key and key.endswith("weight") else 0.0)))
            if name == "vgg" and p.ndim > 1:
                p.copy_(exact(p * 2))
    x = exact(torch.randn(input_shape, generator=generator, dtype=torch.float64))
    labels = torch.randint(0, classes, input_shape[:1], generator=generator)
    for key, value in model.state_dict().items():
        tensors[f"{name}/weights/{key}"] = value.float().numpy()
    tensors[f"{name}/input"] = x.float().numpy()
    tensors[f"{name}/labels"] = labels.numpy()

    def optimizers(m):
        decayed = [p for p in m.parameters() if p.ndim > 1]
        others = [p for p in m.parameters() if p.ndim <= 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        return {"adamw": lambda: torch.optim.AdamW(groups, lr=2.0 ** -9, weight_decay=0.0625),
                "sgd": lambda: torch.optim.SGD(groups, lr=2.0 ** -5, momentum=0.875, weight_decay=0.0625)}

    logits = model(x)
    tensors[f"{name}/logits"] = logits.detach().numpy()
    F.cross_entropy(logits, labels, label_smoothing=0.125).backward()
    for key, p in model.named_parameters():
        tensors[f"{name}/gradients/{key}"] = p.grad.float().numpy()
    for which in ("adamw", "sgd"):
        trained = copy.deepcopy(model)
        optimizer = optimizers(trained)[which]()
        losses = []
        for _ in range(TRAIN_STEPS):
            optimizer.zero_grad()
            loss = F.cross_entropy(trained(x), labels, label_smoothing=0.125)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"{name} {which}: {losses[0]:.4f} -> {losses[-1]:.4f}")
        tensors[f"{name}/losses/{which}"] = np.array(losses)


def main():
    torch.manual_seed(0)
    tensors = {}
    optimizer_goldens(tensors)
    model_goldens(tensors, "vit", tiny_vit(), (4, 1, 28, 28), 5)
    model_goldens(tensors, "vgg", TinyVgg(), (4, 3, 12, 12), 4)
    path = pathlib.Path(__file__).parent / "models.safetensors"
    save_file({k: np.array(v, order="C") for k, v in tensors.items()}, path)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
